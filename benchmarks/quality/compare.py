"""Models side by side: every head of two or more models on the same held-out recordings, as one table.

    python -m benchmarks.quality.compare mtl_conformer_small mtl_whisper_tiny --data PREPARED --orders coffee_maker.yaml

measures each model on the dev sources of the last one's config, and with `--orders` the coffee orders understood under
that grammar, clean and in the noises of the split `dev`. The folder of a training run may stand for a model's name.

Checkpoints that were trained when fewer speakers were held out have heard some of today's dev speakers. So every figure
is there twice: of all dev speakers, and of those that none of the models has heard (`is_heard`).
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.quality.parts import write_source
from speechzoo.config import SourceConfig
from speechzoo.data.hold_out import TRAIN, hold_out_of_stream
from speechzoo.data.manifest import read_manifest
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.heads import find_heads
from speechzoo.evaluation import evaluate
from speechzoo.registry import load
from tools.figures import add_figures_option, write_figures
from tools.tables.compare import ALL, ORDERS, UNHEARD, compare_table

# The metrics of a head: the first of these that it has any of.
METRICS = (("wer", "cer"), ("per",), ("eer",), ("auc",), ("accuracy", "exact"))

# How the earlier checkpoints were trained (docs/training.md, "Data"): this part of these corpora was held out, two
# subsets of LibriSpeech weren't there, and of one every reader was heard.
FORMER_PART = 0.1
FORMER_CORPORA = ("librispeech", "speechocean762", "wake_words")
LATER_SUBSETS = ("dev-other", "test-other")
HEARD_SUBSET = "train-clean-100"

NOISES = ("noise", "kitchen20")
# The earlier checkpoints were trained in all of this corpus, the recording that is held out today, too.
HEARD_NOISES = "noise"
RATIOS = tuple(range(6, 25, 3))


# -- who was heard -----------------------------------------------------------------------------------------------------


def is_heard(utterance: dict, part: float) -> bool:
    """Whether a model may know who speaks that was trained when groups with a hash below `part` were held out.

    With a part of 1 nobody is known: all models were trained on today's splits.
    """
    if part >= 1 or utterance.get("corpus") not in FORMER_CORPORA or utterance.get("subset") in LATER_SUBSETS:
        return False
    if utterance.get("subset") == HEARD_SUBSET:
        return True
    split_again, = hold_out_of_stream(iter([dict(utterance)]), part)
    return split_again["split"] == TRAIN


def unheard_sources(sources: list[SourceConfig], part: float, folder: Path) -> tuple[list[SourceConfig], set[str]]:
    """Sources without what may have been heard, of the corpora that change by it, and the names of these corpora.

    Args:
        sources: With manifests that can be read.
        part: See `is_heard`.
        folder: Where the new manifests are written.
    """
    utterances = [[utterance for utterance in read_manifest(source.manifest)
                   if source.split in (None, utterance.get("split"))] for source in sources]
    corpora = {utterance["corpus"] for own in utterances for utterance in own if is_heard(utterance, part)}
    kept = []
    for number, (source, own) in enumerate(zip(sources, utterances)):
        unheard = [utterance for utterance in own
                   if utterance.get("corpus") in corpora and not is_heard(utterance, part)]
        if unheard:
            kept.append(write_source(source, unheard, folder / f"{number}.jsonl"))
    return kept, corpora


# -- figures -----------------------------------------------------------------------------------------------------------


def measure(model, sources: list[SourceConfig]) -> dict[str, dict]:
    """Corpus -> head -> figures."""
    figures = evaluate(model, sources)
    unreadable = figures.pop("_skipped", {}).get("audio")
    if unreadable:
        print(f"  {len(unreadable)} recordings can't be used, the first: {unreadable[0]}", flush=True)
    del figures["overall"]
    return figures


def measure_orders(model, grammar: str, data: Path) -> dict[str, dict]:
    """Coffee orders understood under a grammar, as `measure` says it; nothing of a model that can't read."""
    spec = model.spec
    reading = find_heads(spec, type="ctc")
    if not reading:
        return {}
    conditions = {ORDERS: {}}
    for noise in NOISES:
        manifest = data / noise / "manifest.jsonl"
        conditions[f"{ORDERS} in {noise}"] = {"noise": manifest, "noise_split": "dev", "snr": RATIOS}
    commands, orders = CommandDecoder(grammar, spec), data / ORDERS / "manifest.jsonl"
    return {name: {"command": evaluate(model, orders, reading, grammar=commands, **condition)["overall"]["command"]}
            for name, condition in conditions.items()}


def measure_both(model, sources: list[SourceConfig], unheard: list[SourceConfig], heard_corpora: set[str],
                 orders: dict[str, dict]) -> dict[str, dict]:
    """Whose speech -> corpus -> head -> figures; one measurement is enough where nothing has been heard."""
    figures = {ALL: measure(model, sources)}
    if heard_corpora:
        figures[UNHEARD] = {corpus: heads for corpus, heads in figures[ALL].items() if corpus not in heard_corpora}
        if unheard and heard_corpora & figures[ALL].keys():
            figures[UNHEARD] |= measure(model, unheard)
        figures[UNHEARD] |= {name: heads for name, heads in orders.items() if name != f"{ORDERS} in {HEARD_NOISES}"}
    figures[ALL] |= orders
    return figures


def shown(figures: dict) -> list[str]:
    """The metrics of a head that the table has."""
    for metrics in METRICS:
        if metrics[0] in figures:
            return [metric for metric in metrics if metric in figures]
    return []


def rows_of(name: str, figures: dict[str, dict]) -> list[dict]:
    """A model's lines of the CSV, a figure each; a figure without an interval has no bounds."""
    rows = []
    for speakers, corpora in figures.items():
        for corpus, heads in corpora.items():
            for head, scores in heads.items():
                for metric in shown(scores):
                    low, high = scores.get(f"{metric}_interval", (None, None))
                    rows.append({"model": name, "corpus": corpus, "head": head, "metric": metric, "n": scores["n"],
                                 "value": scores[metric], "low": low, "high": high, "speakers": speakers})
    return rows


# -- the command -------------------------------------------------------------------------------------------------------


def main(names: list[str], data: Path, figures: Path, grammar: str | None = None, part: float = FORMER_PART):
    """Measures the models, prints the table and writes the figures.

    Raises:
        ValueError: Two models have one name, or there is nothing to measure them on.
    """
    models = {Path(name).name: load(name) for name in names}
    if len(models) < len(names):
        raise ValueError(f"{', '.join(names)}: two of these have the same name; rename the folder of a run")
    sources = list(models.values())[-1].zoo_config.dev_sources(data)
    if not sources:
        raise ValueError(f"{names[-1]}: its config names no dev sources to measure on")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        unheard, heard_corpora = unheard_sources(sources, part, Path(folder))
        for name, model in models.items():
            print(f"{name} ...", flush=True)
            orders = measure_orders(model, grammar, data) if grammar else {}
            rows += rows_of(name, measure_both(model, sources, unheard, heard_corpora, orders))
    print("\n".join(compare_table(rows)))
    write_figures(figures, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="two or more zoo models or folders of training runs")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--orders", metavar="GRAMMAR", help="measure coffee orders, too, under this grammar")
    parser.add_argument("--former-part", type=float, default=FORMER_PART, metavar="PART",
                        help="part that was held out when the earliest of the models was trained (%(default)g); 1 "
                             "where all were trained on today's splits")
    add_figures_option(parser, "compare")
    arguments = parser.parse_args()
    if len(arguments.models) < 2:
        parser.error("name two models at least")
    main(arguments.models, arguments.data, arguments.figures, arguments.orders, arguments.former_part)
