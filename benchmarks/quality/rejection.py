"""What a grammar accepts and what it rejects, and where to draw the line.

    python -m benchmarks.quality.rejection mtl_conformer_small --grammar coffee_maker.yaml \\
        --inside prepared/coffee_orders/manifest.jsonl \\
        --outside prepared/librispeech/manifest.jsonl:dev prepared/speech_commands/manifest.jsonl:validation --out rejection.png

`--inside` holds commands of the grammar, `--outside` other speech; `:dev` behind a manifest takes one split of it. For thresholds
from strict to lenient the plot shows how many commands are understood entirely right, how many are rejected, and how much other speech
is accepted; printed are the figures at the threshold that the package uses, and the threshold that accepts at most 1 % of the other
speech.

    python -m benchmarks.quality.rejection mtl_whisper_tiny --grammar smart_speaker --inside prepared/smart_speaker/manifest.jsonl:dev \
        --noise prepared/esc10/manifest.jsonl:fold4 prepared/kitchen20/manifest.jsonl:dev prepared/noise/manifest.jsonl:dev

`--noise` holds recordings in which nobody speaks, and sounds that are made up (silence, hum, noises, tones, chords, ...) are added;
counted are those that become commands, per hour of each kind, at the threshold that keeps 95 % of the commands and at the package's own.
`--intents` takes some of the grammar's intents alone.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.grammar.nodes import Grammar
from speechzoo.grammar.reading import load_grammar
from speechzoo.metrics.rejection import calibrate_threshold
from speechzoo.opening import open_model
from tools.figures import FOLDER, add_figures_option, kept_rows, write_figures
from tools.tables.plain import plain

FALSE_ACCEPTS = 0.01
KEPT = 0.95  # of the commands, at the threshold that noises are counted at
ANY_THRESHOLD = -1e6  # rejects nothing that holds evidence of speech
SOUND_SECONDS, SOUNDS_EACH = 5, 12


def parses(model, commands: CommandDecoder, part: Part, maximum: int) -> list[tuple[dict, object]]:
    """(utterance, parse) of at most so many utterances of a manifest, evenly over it."""
    rate = model.spec["sample_rate"]
    return [(utterance, commands(model.batch_outputs([part.audio(utterance, rate)])[0]))
            for utterance in evenly(part.utterances, maximum)]


def scores_of(parses: list) -> np.ndarray:
    """Scores of parses under a threshold that rejects none; -inf of those without evidence of speech."""
    return np.array([parse.score if parse.accepted else -np.inf for parse in parses])


def made_up_sounds(rate: int, count: int = SOUNDS_EACH) -> dict[str, list[np.ndarray]]:
    """Kind -> so many sounds, float32 (samples,), in which nobody speaks; the same ones whenever it is called."""
    time = np.arange(SOUND_SECONDS * rate) / rate
    random = np.random.default_rng(1)

    def coloured(exponent):
        spectrum = np.fft.rfft(random.standard_normal(len(time)))
        spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** (exponent / 2)
        noise = np.fft.irfft(spectrum, len(time))
        return 10 ** random.uniform(-2.5, -0.7) * noise / noise.std()

    def tone(frequency, decay=0.0, length=len(time)):
        return np.sin(2 * np.pi * frequency * time[:length]) * np.exp(-decay * time[:length])

    def tune():
        notes = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12], 4 * SOUND_SECONDS) / 12)
        beat = len(time) // len(notes)
        return 0.2 * np.concatenate([tone(note, 4.0, beat) + 0.5 * tone(2 * note, 6.0, beat) for note in notes])

    def chords():
        roots = 110 * 2 ** (random.choice([0, 5, 7, 9], SOUND_SECONDS) / 12)
        return 0.1 * np.concatenate([sum(tone(root * ratio * (1 + partial), 1.0, rate) / (1 + partial)
                                         for ratio in (1, 1.25, 1.5) for partial in range(4)) for root in roots])

    makers = {
        "silence": lambda: 10 ** random.uniform(-6, -4) * random.standard_normal(len(time)) * random.integers(0, 2),
        "hum": lambda: 0.2 * sum(tone(random.choice([50, 60]) * partial) / partial for partial in (1, 2, 3, 5)),
        "noise, white to brown": lambda: coloured(random.uniform(0, 2)),
        "gusts": lambda: coloured(1.5) * (0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.2, 4) * time)),
        "tones and sweeps": lambda: 0.3 * np.sin(2 * np.pi * (random.uniform(100, 1000) * time + random.uniform(0, 100) * time ** 2)),
        "beeps": lambda: 0.3 * tone(random.uniform(400, 2000)) * (time % random.uniform(0.2, 1) < 0.1),
        "clicks": lambda: 0.8 * (np.arange(len(time)) % random.integers(rate // 20, rate) == 0),
        "tunes": tune, "chords": chords}
    return {kind: [np.asarray(make(), np.float32) for _ in range(count)] for kind, make in makers.items()}


def noises_of(sources: list[str], rate: int, maximum: int) -> dict[str, list[np.ndarray]]:
    """Kind -> recordings in which nobody speaks: of manifests, a corpus each, and made up."""
    parts = list(map(read_part, sources))
    recorded = {part.name: [part.audio(utterance, rate) for utterance in evenly(part.utterances, maximum)] for part in parts}
    # A long noise is as many stretches as a recording has otherwise.
    length = SOUND_SECONDS * rate
    recorded = {kind: [audio[first:first + length] for audio in audios for first in range(0, max(len(audio) - rate // 2, 1), length)]
                for kind, audios in recorded.items()}
    return recorded | made_up_sounds(rate)


def count_commands(model, commands: CommandDecoder, inside: np.ndarray, usual: float, noises: dict) -> list[dict]:
    """Rows of noises that become commands, at the threshold that keeps `KEPT` of the commands and at the usual one.

    Args:
        model, commands: Commands that reject nothing by score.
        inside: Scores of true commands.
        usual: The threshold of the package.
        noises: Kind -> recordings.
    """
    kept = float(np.sort(inside)[int((1 - KEPT) * len(inside) + 1e-9)])  # the highest that keeps so many
    scores = {kind: scores_of([commands(model.batch_outputs([audio])[0]) for audio in audios]) for kind, audios in noises.items()}
    hours = {kind: sum(map(len, audios)) / model.spec["sample_rate"] / 3600 for kind, audios in noises.items()}
    scores["together"], hours["together"] = np.concatenate(list(scores.values())), sum(hours.values())
    rows = []
    for threshold in (kept, usual):
        for kind, found in scores.items():
            count = int(np.sum(found >= threshold))
            rows.append({"threshold": threshold, "kept": float(np.mean(inside >= threshold)), "noise": kind,
                         "recordings": len(found), "hours": hours[kind], "commands": count,
                         "commands_per_hour": count / hours[kind]})
    return rows


def right(utterance: dict, parse) -> bool:
    """Whether the command was understood, had it been accepted."""
    slots = {name: str(value) for name, value in (utterance.get("slots") or {}).items()}
    return parse.intent == utterance["intent"] and all(parse.slots.get(name) == value for name, value in slots.items())


def row_at(threshold: float, inside, understood, others: str, accepted: float, count: int) -> dict:
    """Commands understood and rejected, and other speech accepted, at a threshold."""
    return {"threshold": threshold, "commands": len(inside), "understood": np.mean(understood & (inside >= threshold)),
            "rejected": np.mean(inside < threshold), "others": others, "accepted": accepted, "other_recordings": count}


def plot(path: Path, inside, understood, outside: dict, threshold: float):
    """Shares over the threshold, as PNG."""
    import matplotlib.pyplot as plt

    thresholds = np.linspace(-6, 0, 241)
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.plot(thresholds, [np.mean(understood & (inside >= line)) for line in thresholds], label="commands understood")
    axes.plot(thresholds, [np.mean(inside < line) for line in thresholds], label="commands rejected")
    for name, scores in outside.items():
        axes.plot(thresholds, [np.mean(scores >= line) for line in thresholds], "--", label=f"{name} accepted")
    axes.axvline(threshold, color="grey", linewidth=0.8)
    axes.set(xlabel="threshold, nats a unit", ylabel="share", ylim=(0, 1))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--grammar", required=True)
    parser.add_argument("--lexicon")
    parser.add_argument("--inside", required=True, metavar="MANIFEST")
    parser.add_argument("--outside", nargs="+", default=[], metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--noise", nargs="+", default=[], metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--intents", type=lambda text: text.split(","), metavar="A,B", help="only these of the grammar")
    parser.add_argument("--maximum", type=int, default=300, help="utterances of each manifest, 300")
    parser.add_argument("--out", type=Path, help="PNG file to plot to")
    add_figures_option(parser, "rejection")
    arguments = parser.parse_args()
    if bool(arguments.outside) == bool(arguments.noise):
        parser.error("name --outside or --noise")
    model = open_model(arguments.model)
    grammar = load_grammar(arguments.grammar)
    part = read_part(arguments.inside)
    if arguments.intents:
        grammar = Grammar(grammar.name, {intent: grammar.intents[intent] for intent in arguments.intents}, grammar.language)
        part.utterances = [utterance for utterance in part.utterances if utterance.get("intent") in grammar.intents]
    commands = CommandDecoder(grammar, model.spec, arguments.lexicon)
    threshold = commands.compiled.threshold
    commands.compiled = commands.compiled.with_threshold(ANY_THRESHOLD)
    orders = parses(model, commands, part, arguments.maximum)
    inside = scores_of([parse for _, parse in orders])
    if arguments.noise:
        rows = count_commands(model, commands, inside, threshold, noises_of(arguments.noise, model.spec["sample_rate"], arguments.maximum))
        rows = [{"model": model.spec["name"], "grammar": f"{len(grammar.intents)} intents", "true_commands": len(inside), **row}
                for row in rows]
        print("\n".join(plain("rejection_noise", rows)))
        figures = FOLDER / "rejection_noise.csv" if arguments.figures == FOLDER / "rejection.csv" else arguments.figures
        write_figures(figures, kept_rows(figures, rows, "model", "grammar") + rows)
        return
    understood = np.array([right(*order) for order in orders])
    outside, accepted = {}, {}
    for part in map(read_part, arguments.outside):
        found = [parse for _, parse in parses(model, commands, part, arguments.maximum)]
        # What free decoding hears too little of is rejected whatever its score, and so is what nobody says.
        outside[part.name] = scores_of(found)
        accepted[part.name] = np.mean(outside[part.name] >= threshold)
    rows = [row_at(threshold, inside, understood, name, share, len(outside[name])) for name, share in accepted.items()]
    together = np.concatenate(list(outside.values()))
    strict, false_accepts, _ = calibrate_threshold(inside, np.maximum(together, -1e3), FALSE_ACCEPTS)
    rows.append(row_at(strict, inside, understood, "together", false_accepts, len(together)))
    print("\n".join(plain("rejection", rows)))
    write_figures(arguments.figures, rows)
    if arguments.out:
        plot(arguments.out, inside, understood, outside, threshold)


if __name__ == "__main__":
    main()
