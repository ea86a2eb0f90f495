"""Tables that show their figures as they are: a line per row, a template per column."""

from pathlib import Path

from tools.figures import read_figures
from tools.markdown import percent, table, table_of

LENGTHS, WINDOWS = (1, 3, 10), (1, 2)
CLIPS = (2, 5, 10, 30)


def _both(name: str, spec: str = ".1%") -> str:
    """Before and afterwards."""
    return f"{{{name}_before:{spec}}}, {{{name}_after:{spec}}}"


def _at_both(name: str, spec: str = ".1%") -> str:
    """At the default threshold and at the other."""
    return f"{{{name}_default:{spec}}}; {{{name}_quiet:{spec}}}"


# File of the figures -> how many columns stand on the left, and heading -> template of its cells.
COLUMNS: dict[str, tuple[int, dict[str, str]]] = {
    "inference": (1, {
        "": "{network}", "size, MB": "{megabytes:.1f}",
        **{f"{length} s of audio, ms": f"{{ms_{length}s:.1f}}" for length in LENGTHS},
        "times as fast as ONNX Runtime, float32": " / ".join(f"{{speed_{length}s:.2f}}" for length in LENGTHS),
        "differs from PyTorch by": "{difference:.0e}"}),
    "decoders": (2, {
        "": "{checkpoint}", "runs in": "{system}", "size, MB": "{megabytes:.1f}",
        "recordings": "{recordings}", "words wrong": "{wer:.1%}", "95 %": "{wer_low:.1%} to {wer_high:.1%}",
        "real-time factor": "{real_time_factor:.3f}",
        "times as fast as faster-whisper: 2 / 5 / 10 / 30 s": " / ".join(
            f"{{speed_{length}s:.1f}}" for length in CLIPS),
        "memory, MB": " / ".join(f"{{memory_{length}s:.0f}}" for length in CLIPS),
        "first answer after, s": "{start_seconds:.1f}"}),
    "decoders_memory": (2, {
        "": "{checkpoint}", "runs in": "{system}", "clip, s": "{seconds}", "Python and libraries": "{libraries:.0f}",
        "file opened": "{opened:.0f}", "behind the encoder": "{encoded:.0f}", "peak": "{peak:.0f}"}),
    "server": (1, {
        "": "`{model}`", "clients": "{clients}", "requests per second": "{requests_per_second:.1f}",
        "half wait at most, ms": "{p50_ms:.0f}", "95 %": "{p95_ms:.0f}", "99 %": "{p99_ms:.0f}",
        "recordings per batch": "{batch:.1f}", "lost": "{lost} of {requests:,}",
        "processor's time per request, ms": "{processor_ms:.1f}", "share of the core": "{core_share:.0%}"}),
    "server_memory": (1, {
        "minutes": "{minutes:.1f}", "answered": "{answered:,}", "refused": "{refused:,}", "lost": "{lost}",
        "memory, MB": "{memory_mb:.1f}", "open files": "{open_files}"}),
    "operators": (1, {
        "": "{kind}", "operators": "{operators:,}", "float32, ms": "{float32_ms:.2f}", "`dynamic`, ms": "{dynamic_ms:.2f}"}),
    "raspberry_pi": (2, {
        "": "`{model}`", "format": "{format}",
        "million multiply-accumulates per second of audio": "{million_macs:.0f}",
        "step, ms of audio": "{step_ms:.0f}", "computed here in, ms": "{here_ms:.2f}",
        "on the board, ms": "{board_ms:.1f}", "share of one of its cores": "{share:.0%}"}),
    "micro": (2, {
        "head": "{head}", "corpus": "{corpus}", "utterances": "{utterances}",
        **{f"{window} s: {kind}": f"{{{name}_{window}s:.1%}}" for window in WINDOWS
           for kind, name in (("Keras", "keras"), ("integers", "integers"))}}),
    "micro_memory": (1, {
        "model": "{model}", "network": "{network_kb} kB", "arena: estimate": "{estimate_kb:.1f} kB",
        "arena: measured": "{measured_kb:.1f} kB", "multiply-accumulates per run": "{million_macs:.1f} million",
        "runs per second in 20 million": "{runs_per_second:.1f}"}),
    "micro_features": (1, {
        "recordings": "{recordings}", "frames": "{frames}", "mean of the features": "{mean:.2f}",
        "mean difference": "{mean_difference:.3f}", "90 % differ by less than": "{difference_90:.2f}",
        "correlation": "{correlation:.3f}"}),
    "quantization_aware": (1, {
        "": "{trained}", "commands: Keras, integers": "{commands_keras:.1%}, {commands_integers:.1%}",
        "wake words": "{wake_words_keras:.1%}, {wake_words_integers:.1%}",
        "gender, LibriSpeech": "{gender_librispeech_keras:.1%}, {gender_librispeech_integers:.1%}",
        "gender, learners": "{gender_learners_keras:.1%}, {gender_learners_integers:.1%}",
        "age group": "{age_group_keras:.1%}, {age_group_integers:.1%}"}),
    "enrolment": (1, {
        "": "{corpus}", "speakers": "{speakers}", "enrolled from": "{enrolled}", "EER": "{eer:.1%}",
        "at 0.70: strangers accepted": "{accepted:.1%}", "people refused": "{refused:.1%}",
        "chosen: accepted": "{chosen_accepted:.1%}", "refused": "{chosen_refused:.1%}",
        "threshold": "{first_threshold:.2f}, {second_threshold:.2f}"}),
    "domains": (2, {
        "": "{domain}", "recogniser": "{method}", "recordings": "{recordings}", "phones wrong": "{per:.1%}",
        "95 %": "{low:.1%} to {high:.1%}"}),
    "few_shot": (1, {
        "": "{corpus}", "recordings": "{recordings}", "layer": "{layer}", "threshold": _at_both("threshold", ".2f"),
        "owner": _at_both("owner"), "others": _at_both("others"), "other words": _at_both("wrong"),
        "false alarms per hour": _at_both("alarms_per_hour", ".2f")}),
    "meta_learning": (2, {
        "": "`{model}`", "method": "{method}", "recordings": "{recordings}", "block": "{block}",
        "right": "{accuracy:.1%}", "95 %": "{accuracy_low:.1%} to {accuracy_high:.1%}",
        "right and accepted, 5 % of others accepted": "{hits:.1%}", "the same at the threshold set before": "{set_hits:.1%}",
        "others accepted there": "{set_false_accepts:.1%}", "seconds": "{seconds:.0f}"}),
    "owner": (1, {
        "": "{corpus}", "sentences": "{sentences}", "speakers": "{speakers}",
        "own: phones wrong (`phones`)": _both("own_phones"), "letters wrong (`transcript`)": _both("own_letters"),
        "fewer phones wrong for": "{fewer_phones_wrong}", "others: phones": _both("others_phones"),
        "letters": _both("others_letters")}),
    "intents": (2, {
        "": "{condition}", "by": "{way}", "intent right": "{intent_right:.1%}", "all right": "{all_right:.1%}",
        "taken for no command": "{rejected:.1%}", "other speech taken for one": "{false_accepts:.1%}"}),
    "home_assistant": (1, {
        "": "{language}", "sentences": "{sentences}", "accepted": "{accepted:.1%}",
        "same meaning": "{same_meaning:.1%}", "hassil accepts ours": "{hassil_accepts:.1%}"}),
    "languages": (1, {
        "": "{recordings}", "recordings": "{count}", "taken for German": "{detected:.0%}", "else for": "{others}",
        "words wrong": "{wer:.1%}", "words of the English in the translation": "{translated:.0%}"}),
    "front_ends": (1, {
        "keywords missed behind": "{front_end}", "as recorded": "{as_it_is:.1%}", "20 dB quieter": "{quieter:.1%}",
        "20 dB louder": "{louder:.1%}", "in a room": "{room:.1%}", "kitchen noise, 5 dB": "{noise:.1%}",
        "all three, quieter": "{all:.1%}"}),
    "pretraining": (2, {
        "first": "{method}", "labels": "{share:.0%}", "core hours before the labels": "{first_core_hours:.2f}",
        "on them": "{core_hours:.2f}", "steps": "{steps:,}", "phones wrong": "{phones_wrong:.1%}"}),
    "enhancement": (2, {
        "": "{measure}", "model": "`{model}`", "dB": "{ratio:g}", "recordings": "{recordings}",
        "as it is": "{before:.3f}", "enhanced": "{after:.3f}"}),
    # Figures that pages only mention in a sentence.
    "grammar": (2, {
        "grammar": "{grammar}", "units": "{units}", "compile, s": "{compile_seconds:.2f}", "nodes": "{nodes:,}",
        "arcs": "{arcs:,}", "file, kB": "{kilobytes:.0f}", "decode, ms": "{decode_ms:.1f}",
        "real-time factor": "{real_time_factor:.4f}", "right": "{right:.0%}"}),
    "pipeline": (1, {
        "": "{stage}", "seconds of audio per second of one core": "{per_core:.0f}", "on the clock": "{on_the_clock:.0f}",
        "peak memory, MiB": "{peak_mebibytes:.0f}"}),
    "precision": (1, {
        "model": "{model}, {precision}", "s per step, median": "{median_seconds:.2f}", "best": "{best_seconds:.2f}"}),
    "train_step": (1, {
        "": "{framework}", "s per step, median": "{median_seconds:.2f}", "best": "{best_seconds:.2f}",
        "parameters": "{parameters:,}"}),
    "rejection": (1, {
        "threshold": "{threshold:.3f}", "commands": "{commands}", "understood": "{understood:.1%}",
        "rejected": "{rejected:.1%}", "other speech": "{others}", "accepted": "{accepted:.1%}",
        "of": "{other_recordings}"}),
    "speech": (2, {
        "condition": "{condition}", "detector": "{detector}", "hours": "{hours:.2f}", "area under the curve": "{auc:.1%}",
        "speech missed at 5 % false alarms": "{missed:.1%}"}),
    "rejection_noise": (3, {
        "model": "`{model}`", "grammar": "{grammar}", "noise": "{noise}", "threshold": "{threshold:.2f}",
        "commands kept": "{kept:.1%} of {true_commands}", "recordings": "{recordings}", "hours": "{hours:.2f}",
        "taken for commands": "{commands}", "per hour": "{commands_per_hour:.1f}"}),
    "dialogue": (1, {
        "heard": "{condition}", "not heard": "{silence:.1%}", "rejected": "{rejected:.1%}", "wrong": "{wrong:.1%}",
        "of it unsure": "{doubted:.0%}", "users": "{users:,}", "by one sentence": "{single:.1%}",
        "something else done": "{single_wrong:.1%}", "by dialogue": "{success:.1%}",
        "something else done on the way": "{something_else:.1%}", "turns": "{turns:.2f}",
        "90 % need at most": "{turns_90}"}),
    "diarization": (1, {
        "model": "`{model}`", "least cosine": "{same_voice:.2f}", "people": "{people}", "recordings": "{recordings}",
        "minutes": "{minutes:.1f}", "diarisation error rate": "{der:.1%}", "missed": "{missed:.1%}",
        "false alarm": "{false_alarm:.1%}", "confused": "{confused:.1%}", "number of people right": "{right_number}"}),
    "wake_word_models": (2, {
        "model": "`{model}`", "word": "{word}", "offered": "{offered}", "threshold": "{threshold:.4f}",
        "recordings": "{clips}", "missed": "{missed:.1%}", "false alarms per hour": "{false_alarms_per_hour:.2f}",
        "hours": "{hours:.2f}", "held out: missed": "{held_out_missed:.1%}",
        "held out: false alarms per hour": "{held_out_false_alarms_per_hour:.2f}"}),
    "unit_bonus": (1, {
        "sentences": "{manifest}, {sentences}", "bonus": "{bonus:g}", "noise, dB": "{snr}", "put in": "{put_in}",
        "left out": "{left_out}", "confused": "{confused}"}),
}


def plain(name: str, rows: list[dict]) -> list[str]:
    """Lines of a table of `COLUMNS`, of these rows."""
    left, columns = COLUMNS[name]
    return table_of(rows, columns, left)


def wake_word(folder: Path) -> list[str]:
    """Held-out figures of each word, and what its cutoff and window were when they were chosen."""
    tuned = {row["word"]: row for row in read_figures(folder / "wake_word_tuning.csv")}
    rows = [{**row, **{f"tuned_{name}": value for name, value in tuned[row["word"]].items()}}
            for row in read_figures(folder / "wake_word.csv")]
    return table_of(rows, {
        "word": "{word}", "cutoff": "{threshold:.2f}", "steps averaged": "{window}", "held-out clips": "{clips}",
        "missed": "{missed:.1%}", "false alarms per hour": "{false_alarms_per_hour:.2f}",
        "when tuned: missed": "{tuned_missed:.1%} of {tuned_clips}",
        "false alarms per hour, tuned": "{tuned_false_alarms_per_hour:.2f}"})


def ingredients(folder: Path) -> list[str]:
    """What a training without each ingredient gives, and the change against everything in points."""
    rows = read_figures(folder / "ingredients.csv")

    def cell(row, name):
        low, high, change = (row[f"{name}_{part}"] for part in ("low", "high", "change"))
        interval = "" if low is None else f" ({100 * low:.0f} to {100 * high:.0f})"
        return f"{percent(row[name])}{interval}" + ("" if change is None else f", {100 * change:+.1f}")

    noise = rows[0]["noise"].replace("_", " ")
    columns = ["trained", "steps", "orders, clean", f"orders, {noise}", f"exact, {noise}", "LibriSpeech, phone errors"]
    return table(columns, [[row["trained"], row["steps"], *(cell(row, name) for name in (
        "clean", "noisy", "exact", "phones"))] for row in rows])


def voices(folder: Path) -> list[str]:
    """Equal error rates of speaker encoders beside those of the models that `compare.csv` has on as many recordings."""
    columns, cells = {}, {}
    for row in [*read_figures(folder / "voices.csv"), *(
            {**row, "eer": row["value"], "voices": None} for row in read_figures(folder / "compare.csv")
            if row["metric"] == "eer")]:
        place = (row["corpus"], row["speakers"], row["n"])
        if row["voices"]:
            columns.setdefault(place, row["voices"])
        cells[place, row["model"]] = f"{percent(row['eer'])} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    models = list(dict.fromkeys(model for _, model in cells))
    return table(["corpus", "speakers", "people", "n", *models],
                 [[*place[:2], people, place[2], *(cells.get((place, model), "") for model in models)]
                  for place, people in columns.items()], left=2)


def _from_file(name: str):
    return lambda folder: plain(name, read_figures(folder / f"{name}.csv"))


TABLES = {name: _from_file(name) for name in COLUMNS} | {
    "wake_word": wake_word, "ingredients": ingredients, "voices": voices}
