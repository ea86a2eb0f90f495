"""What a grammar accepts and what it rejects, and where to draw the line.

    python -m benchmarks.quality.rejection mtl_conformer_small --grammar coffee_maker.yaml \\
        --inside prepared/coffee_orders/manifest.jsonl \\
        --outside prepared/librispeech/manifest.jsonl:dev prepared/speech_commands/manifest.jsonl:validation --out rejection.png

`--inside` holds commands of the grammar, `--outside` other speech; `:dev` behind a manifest takes one split of it. For thresholds
from strict to lenient the plot shows how many commands are understood entirely right, how many are rejected, and how much other speech
is accepted; printed are the figures at the threshold that the package uses, and the threshold that accepts at most 1 % of the other
speech.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.metrics.rejection import calibrate_threshold
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

FALSE_ACCEPTS = 0.01


def parses(model, commands: CommandDecoder, part: Part, maximum: int) -> list[tuple[dict, object]]:
    """(utterance, parse) of at most so many utterances of a manifest, evenly over it."""
    rate = model.spec["sample_rate"]
    return [(utterance, commands(model.batch_outputs([part.audio(utterance, rate)])[0]))
            for utterance in evenly(part.utterances, maximum)]


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
    parser.add_argument("--outside", required=True, nargs="+", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--maximum", type=int, default=300, help="utterances of each manifest, 300")
    parser.add_argument("--out", type=Path, help="PNG file to plot to")
    add_figures_option(parser, "rejection")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    commands = CommandDecoder(arguments.grammar, model.spec, arguments.lexicon)
    orders = parses(model, commands, read_part(arguments.inside), arguments.maximum)
    inside = np.array([parse.score for _, parse in orders])
    understood = np.array([right(*order) for order in orders])
    outside, accepted = {}, {}
    for part in map(read_part, arguments.outside):
        found = [parse for _, parse in parses(model, commands, part, arguments.maximum)]
        # What free decoding hears too little of is rejected whatever its score.
        outside[part.name] = np.array([parse.score if parse.confidence else -np.inf for parse in found])
        accepted[part.name] = np.mean([parse.accepted for parse in found])
    threshold = commands.compiled.threshold
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
