"""Figures of one checkpoint, for its card: a choice of those in its `metrics.json`."""

from pathlib import Path

from speechzoo.registry import weak_classes_of
from tools.figures import read_figures
from tools.markdown import fill, percent, table
from tools.tables.results import DICTATION, read_metrics

NAMES = {"wer": "word error rate", "cer": "character error rate", "per": "phone error rate", "eer": "equal error rate",
         "f1": "F1", "auc": "area under the curve", "slots.accuracy": "all slots right",
         "speech.accuracy": "frames that are right"}
OVERALL = "overall"
RATIOS = tuple(range(6, 25, 3))


# What a card shows: head and metric -> corpora. The metric `wer+dictation` is that of `results.csv`.
_READING = {"transcript.wer": ["librispeech"], "transcript.wer+dictation": ["librispeech"],
            "transcript.cer": ["librispeech"], "phones.per": ["librispeech", "speechocean762"]}
CARDS = {
    "mtl_conformer_small": {
        **_READING, "transcript.wer": ["librispeech", "speechocean762"],
        "transcript.cer": ["librispeech", "speechocean762"], "speaker.eer": ["librispeech", "speechocean762", OVERALL],
        "keyword.accuracy": [OVERALL], "gender.accuracy": [OVERALL], "age_group.accuracy": [OVERALL],
        "event.accuracy": [OVERALL], "intent.accuracy": [OVERALL], "slots.accuracy": [OVERALL], "slots.f1": [OVERALL]},
    "mtl_conformer_small_streaming": {
        **_READING, "keyword.accuracy": [OVERALL, "speech_commands"], "speaker.eer": ["librispeech", "speechocean762"],
        "gender.accuracy": [OVERALL], "age_group.accuracy": [OVERALL], "event.accuracy": [OVERALL]},
    "mtl_ds_cnn_micro": {
        "keyword.accuracy": ["speech_commands", "wake_words"], "gender.accuracy": ["librispeech", "speechocean762"],
        "age_group.accuracy": ["speechocean762"]},
    "mtl_whisper_micro": {
        "phones.per": ["librispeech", "speechocean762"], "transcript.wer": ["librispeech", "speechocean762"],
        "keyword.accuracy": ["speech_commands", "wake_words"], "speaker.eer": ["librispeech", "speechocean762", "speech_commands"],
        "gender.accuracy": ["librispeech", "speechocean762"], "age_group.accuracy": ["speechocean762"],
        "event.accuracy": ["esc10", "librispeech", "kitchen20"], "speech.accuracy": ["librispeech", "esc10", "kitchen20"],
        "speech.auc": ["librispeech"]},
    "mtl_whisper_tiny": {
        "transcript.wer": ["librispeech", "speechocean762"], "transcript.cer": ["librispeech"],
        "phones.per": ["librispeech", "speechocean762"], "keyword.accuracy": [OVERALL],
        "speaker.eer": ["librispeech", "speechocean762"], "gender.accuracy": ["librispeech", "speechocean762"],
        "age_group.accuracy": ["speechocean762"],
        "event.accuracy": ["esc10", "librispeech", "speechocean762", "kitchen20"],
        "speech.accuracy": ["librispeech", "esc10", "kitchen20"], "speech.auc": ["librispeech"],
        "intent.accuracy": ["smart_speaker_synthetic"], "slots.accuracy": ["smart_speaker_synthetic"]},
}
# The model that stands beside.
BESIDE = {"mtl_conformer_small_streaming": "mtl_conformer_small"}


def checkpoint(folder: Path, model: str) -> list[str]:
    """A line per figure that the card of a model shows.

    Raises:
        ValueError: `CARDS` doesn't say which.
    """
    if model not in CARDS:
        raise ValueError(f"{model}: name the figures of its card in CARDS of tools/tables/checkpoint.py")
    beside = BESIDE.get(model)
    columns = ["head", "metric", "corpus", "value (95 % interval)", *([f"`{beside}`"] if beside else []), "utterances"]
    lines = []
    for figure, corpora in CARDS[model].items():
        head, metric = figure.split(".")
        metric, _, dictation = metric.partition("+")
        for corpus in corpora:
            cells = [head + (f", `--{dictation}`" if dictation else ""),
                     NAMES.get(figure, NAMES.get(metric, metric)), "all" if corpus == OVERALL else corpus,
                     percent(*_found(folder, model, head, metric, corpus, dictation))]
            if beside:
                cells.append(percent(_found(folder, beside, head, metric, corpus, dictation)[0]))
            lines.append([*cells, read_metrics(model)["results"][corpus][head]["n"]])
    for head, scores in read_metrics(model)["results"][OVERALL].items():
        for name in weak_classes_of(scores):
            cells = [head, f"recordings of `{name}` right, which it doesn't answer", "all",
                     percent(scores["classes"][name]["recall"])]
            lines.append([*cells, *([""] if beside else []), scores["classes"][name]["n"]])
    return table(columns, lines, left=3)


def _found(folder: Path, model: str, head: str, metric: str, corpus: str, dictation: str) -> tuple:
    """A figure and the ends of its interval, if it has one."""
    if not dictation:
        scores = read_metrics(model)["results"][corpus][head]
        return scores[metric], *scores.get(f"{metric}_interval", ())
    row, = (row for row in read_figures(folder / "results.csv") if (row["model"], row["run"], row["corpus"]) ==
            (model, DICTATION, corpus) and (row["head"], row["metric"]) == (head, metric))
    return row["value"], row["low"], row["high"]


def orders(folder: Path, model: str, beside: str | None = None) -> list[str]:
    """Coffee orders understood in noise, by the ratio: a line per noise."""
    rows = {(row["model"], row["noise"]): row for row in read_figures(folder / "orders.csv")}
    lines = [[noise, *(fill(f"{{db_{ratio}:.0%}}", row) for ratio in RATIOS), percent(row["mean"]),
              *([percent(rows[beside, noise]["mean"])] if beside else [])]
             for (name, noise), row in rows.items() if name == model]
    return table(["noise", *(f"{ratio} dB" for ratio in RATIOS), "mean", *([f"`{beside}`"] if beside else [])], lines)


TABLES = {"checkpoint": checkpoint, "orders": orders}
