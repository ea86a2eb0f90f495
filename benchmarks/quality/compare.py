"""Models side by side: every head of two or more models on the same held-out recordings, as one table.

    python -m benchmarks.quality.compare mtl_conformer_small mtl_whisper_tiny --data PREPARED --orders coffee_maker.yaml

measures each model on the dev sources of the last one's config, and with `--orders` the coffee orders understood under
that grammar, clean and in the noises of the split `dev`. The figures go to docs/figures/compare.csv, the table between
two marks of docs/results.md. The folder of a training run may stand for a model's name.

Checkpoints that were trained when fewer speakers were held out have heard some of today's dev speakers. So every figure
is there twice: of all dev speakers, and of those that none of the models has heard (`is_heard`).
"""

import argparse
import csv
import datetime
import io
import subprocess
import tempfile
import textwrap
from pathlib import Path

from benchmarks.quality.parts import write_source
from speechzoo.config import SourceConfig
from speechzoo.data.hold_out import TRAIN, hold_out_of_stream
from speechzoo.data.manifest import read_manifest
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.evaluation import evaluate
from speechzoo.files import write_atomically
from speechzoo.metrics.direction import lower_is_better
from speechzoo.opening import model_spec
from speechzoo.registry import load
from tools.marked_page import write_between

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- written by benchmarks/quality/compare.py -->", "<!-- end of what it wrote -->"
COLUMNS = ("model", "corpus", "head", "metric", "n", "value", "low", "high", "speakers", "commit", "date")
ALL, UNHEARD = "all", "unheard"

# The metrics of a head: the first of these that it has any of.
METRICS = (("wer", "cer"), ("per",), ("eer",), ("auc",), ("accuracy", "exact"))

# How the earlier checkpoints were trained (docs/training.md, "Data"): this part of these corpora was held out, two
# subsets of LibriSpeech weren't there, and of one every reader was heard.
FORMER_PART = 0.1
FORMER_CORPORA = ("librispeech", "speechocean762", "wake_words")
LATER_SUBSETS = ("dev-other", "test-other")
HEARD_SUBSET = "train-clean-100"

ORDERS = "coffee_orders"
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
    spec = model_spec(model)
    reading = [name for name, head in spec["heads"].items() if head["type"] == "ctc"]
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


def rows_of(name: str, figures: dict[str, dict], commit: str, date: str) -> list[dict]:
    """A model's lines of the CSV, a figure each; a figure without an interval has empty bounds."""
    rows = []
    for speakers, corpora in figures.items():
        for corpus, heads in corpora.items():
            for head, scores in heads.items():
                for metric in shown(scores):
                    low, high = scores.get(f"{metric}_interval", ("", ""))
                    figure = (scores["n"], scores[metric], low, high)
                    rows.append(dict(zip(COLUMNS, (name, corpus, head, metric, *figure, speakers, commit, date))))
    return rows


# -- table -------------------------------------------------------------------------------------------------------------


def table(rows: list[dict], models: list[str]) -> list[str]:
    """Markdown: a line for each corpus, head and metric, a column for each model and kind of speakers."""
    figures = {(row["speakers"], row["corpus"], row["head"], row["metric"], row["model"]): row for row in rows}
    groups = [speakers for speakers in (ALL, UNHEARD) if any(row["speakers"] == speakers for row in rows)]
    # The last model's order of heads: it is the one whose recordings these are.
    keys = dict.fromkeys((row["corpus"], row["head"], row["metric"])
                         for model in reversed(models) for row in rows if row["model"] == model)
    columns = ["corpus", "head", "metric"]
    for speakers in groups:
        columns += [heading if speakers == ALL else f"{heading}, {speakers}" for heading in ("n", *models)]
    lines = [line(columns), line(["---"] * 3 + ["---:"] * (len(columns) - 3))]
    for key in sorted(keys, key=lambda key: key[0]):
        cells = list(key)
        for speakers in groups:
            cells += group_cells([figures.get((speakers, *key, model)) for model in models])
        lines.append(line(cells))
    return lines


def group_cells(rows: list[dict | None]) -> list[str]:
    """How many were measured, and each model's figure; the best in bold where all are of as many recordings."""
    present = [row for row in rows if row]
    counts = list(dict.fromkeys(str(row["n"]) for row in present))
    values = {row["value"] for row in present}
    best = None
    if len(counts) == 1 and len(values) > 1:
        best = min(values) if lower_is_better(present[0]["metric"]) else max(values)
    return [", ".join(counts), *("" if row is None else cell(row, row["value"] == best) for row in rows)]


def cell(row: dict, bold: bool) -> str:
    """A figure in per cent with its interval."""
    interval = "" if row["low"] == "" else f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    value = f"{100 * row['value']:.1f} %"
    return f"**{value}**{interval}" if bold else f"{value}{interval}"


def line(cells: list[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def section(rows: list[dict], models: list[str], grammar: str | None, part: float) -> list[str]:
    """What goes between the marks of the page."""
    orders = " --orders GRAMMAR" if grammar else ""
    command = f"python -m benchmarks.quality.compare {' '.join(models)} --data PREPARED{orders}"
    paragraphs = [
        f"`{command}` measured these models in one run (commit {rows[0]['commit']}, {rows[0]['date']}) on the dev "
        f"sources of `{models[-1]}`; the figures are in [figures/compare.csv](figures/compare.csv). In brackets: 95 % "
        "bootstrap intervals over speakers. The best figure is in bold where all are of as many recordings; a cell is "
        "empty where a model has no such head or class. `event` on speech is the share of recordings that are called "
        "speech and no event."]
    if any(row["speakers"] == UNHEARD for row in rows):
        paragraphs.append(
            f"Checkpoints that were trained when {100 * part:g} % of the speakers were held out have heard some of "
            "today's dev speakers ([training.md](training.md)): `unheard` is without these. What published weights had "
            "heard before they came here is not known.")
    if grammar:
        paragraphs.append(
            f"`command`: coffee orders under the grammar `{Path(grammar).stem}` ([commands.md](commands.md)), clean, "
            f"and the mean over {RATIOS[0]} to {RATIOS[-1]} dB in noises of the split `dev`: the washing machine of "
            "`noise`, which earlier checkpoints had in training, and Kitchen20's clips, which they had not.")
    lines = ["## Side by side", ""]
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(paragraph, 120, break_long_words=False, break_on_hyphens=False), ""]
    return lines + table(rows, models)


# -- the command -------------------------------------------------------------------------------------------------------


def main(names: list[str], data: Path, page: Path = PAGE, grammar: str | None = None, part: float = FORMER_PART):
    """Measures the models, and writes the CSV and the table.

    Raises:
        ValueError: Two models have one name, or there is nothing to measure them on.
    """
    models = {Path(name).name: load(name) for name in names}
    if len(models) < len(names):
        raise ValueError(f"{', '.join(names)}: two of these have the same name; rename the folder of a run")
    sources = list(models.values())[-1].zoo_config.dev_sources(data)
    if not sources:
        raise ValueError(f"{names[-1]}: its config names no dev sources to measure on")
    commit, date, rows = commit_of(ROOT), datetime.date.today().isoformat(), []
    with tempfile.TemporaryDirectory() as folder:
        unheard, heard_corpora = unheard_sources(sources, part, Path(folder))
        for name, model in models.items():
            print(f"{name} ...", flush=True)
            orders = measure_orders(model, grammar, data) if grammar else {}
            rows += rows_of(name, measure_both(model, sources, unheard, heard_corpora, orders), commit, date)
    write_csv(rows, page.parent / "figures" / "compare.csv")
    write_between(page, BEGIN, END, section(rows, list(models), grammar, part))


def commit_of(repository: Path) -> str:
    """The commit that is checked out, `-dirty` behind it where files differ; "unknown" outside of Git."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude", "*"], cwd=repository,
                              capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def write_csv(rows: list[dict], path: Path):
    """Writes the figures, as they are, with a line of names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="two or more zoo models or folders of training runs")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--orders", metavar="GRAMMAR", help="measure coffee orders, too, under this grammar")
    parser.add_argument("--former-part", type=float, default=FORMER_PART, metavar="PART",
                        help="part that was held out when the earliest of the models was trained (%(default)g); 1 "
                             "where all were trained on today's splits")
    parser.add_argument("--out", type=Path, default=PAGE, help="page with the marks; figures/ beside it gets the CSV")
    arguments = parser.parse_args()
    if len(arguments.models) < 2:
        parser.error("name two models at least")
    main(arguments.models, arguments.data, arguments.out, arguments.orders, arguments.former_part)
