"""The zoo's figures: every head of every trained model, and what it gains or loses by sharing a network.

    python -m benchmarks.quality.results --data PREPARED --runs RUNS

evaluates each zoo model that has a checkpoint, and runs of its config from scratch, with all heads (RUNS/<model>-all) and
with one (RUNS/<model>-<head>), as far as they are there, on the model's dev sources (speakers held out of training), in
one go, and writes docs/results.md but for the part that benchmarks/quality/compare.py writes. The runs come from

    speechzoo train <model> data.root=PREPARED                                     --out RUNS/<model>-all
    speechzoo train <model> data.root=PREPARED --heads <head> training.epochs=<n>  --out RUNS/<model>-<head>

with one epoch, or as many as come to 1,200 steps for heads that few recordings have a label of.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.quality import compare
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.evaluation import evaluate
from speechzoo.exporters import export
from speechzoo.metrics.direction import lower_is_better
from speechzoo.multitask.macs import count_macs
from speechzoo.registry import checkpoint_weights, list_models, load
from speechzoo.text.language_model import load_language_model
from speechzoo.training.run_log import read_log
from tools.marked_page import marked_part

# Head -> metrics of the table.
METRICS = {"transcript": ("wer", "cer"), "phones": ("per",), "speaker": ("eer",)}
CLIP_SECONDS = 3.0


def main(data: Path, runs: Path, out: Path):
    """Evaluates everything and writes the page."""
    sections = [section(name, data, runs) for name in trained_models()]
    page = ["# Results", "",
            "Figures on the dev splits, whose speakers were never trained on, with 95 % bootstrap intervals over speakers.",
            "Written by `python -m benchmarks.quality.results --data PREPARED --runs RUNS`. `zoo` is the checkpoint that comes",
            "with the package, trained for many times as long. The two columns behind it say what sharing buys: `together` is the same",
            "network trained from scratch for one epoch with all heads, `alone` with that head alone, on those of the same recordings",
            "that have its label; its steps are one epoch too, or as many epochs as come to 1,200 steps where few recordings have",
            "the label, so that such a head hears its recordings several times as often alone as together. A head in bold is at least",
            "as good together as alone. `wer, dictation` is `--dictation`: the words of CMUdict found by the phones, with",
            "PocketSphinx's 3-gram of English. [multitask.md](multitask.md) compares ways of sharing with more care: several",
            "seeds, equal budgets.", "", marked_part(out, compare.BEGIN, compare.END), ""]
    out.write_text("\n".join(page + sections), encoding="utf-8")


def trained_models() -> list[str]:
    """Zoo models that have a checkpoint."""
    names = []
    for name in list_models():
        try:
            checkpoint_weights(name)
        except ValueError:
            continue
        names.append(name)
    return names


def section(name: str, data: Path, runs: Path) -> str:
    """One model: its cost, and every head with the single-task figure beside it."""
    model = load(name)
    sources = model.zoo_config.dev_sources(data)
    together = evaluate(model, sources)
    dictated = {}
    if {"transcript", "phones"} <= model.heads.keys():
        search = LexiconSearch(model.spec(), "cmudict", load_language_model("pocketsphinx"))
        dictated = evaluate(model, sources, heads=["transcript"], decoder=search)
    shared, shared_steps = scratch_run(runs / f"{name}-all", sources)
    alone = {head: scratch_run(runs / f"{name}-{head}", sources, [head]) for head in model.heads}
    factor, megabytes = tflite_speed(model)
    lines = [f"## {name}", "", f"{model.count_params():,} parameters, {count_macs(model) / 1e6:.0f} million multiply-accumulates "
             f"a second of audio; as float32 TFLite {megabytes:.1f} MB, real-time factor {factor:.4f} on one thread "
             f"({CLIP_SECONDS:g} s clip).", ""]
    from_scratch = shared or any(figures for figures, _ in alone.values())
    columns = ["corpus", "head", "metric", "utterances", "zoo"]
    columns += [f"together{shared_steps and f', {shared_steps} steps'}", "alone", "its steps"] if from_scratch else []
    lines += [row(columns), row(["---"] * len(columns))]
    for corpus, heads in together.items():
        if corpus in ("overall", "_skipped") and len([key for key in together if key != "_skipped"]) > 2:
            continue
        for head, figures in heads.items():
            for metric in METRICS.get(head, ("accuracy", "macro_f1")):
                if metric not in figures:
                    continue
                sharing, (single, steps) = shared.get(corpus, {}).get(head), alone[head]
                single = single.get(corpus, {}).get(head)
                sign = 1 if lower_is_better(metric) else -1
                better = sharing and single and sign * (sharing[metric] - single[metric]) <= 0
                cells = [corpus, f"**{head}**" if better else head, metric, figures["n"], cell(figures, metric)]
                lines.append(row(cells + ([cell(sharing, metric), cell(single, metric), steps] if from_scratch else [])))
                if metric == "wer" and dictated:
                    cells = [corpus, head, "wer, dictation", figures["n"], cell(dictated[corpus][head], metric)]
                    lines.append(row(cells + ([""] * 3 if from_scratch else [])))
    return "\n".join(lines) + "\n"


def scratch_run(run: Path, sources: list, heads: list[str] | None = None) -> tuple[dict, str]:
    """(what `evaluate` says of a run, its steps); nothing where there is no such run."""
    if not (run / "final.weights.h5").is_file():
        return {}, ""
    steps = read_log(run / "log.jsonl")[-1]["step"]
    return evaluate(load(run), sources, heads=heads), f"{steps:,}"


def row(cells: list) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def cell(figures: dict | None, metric: str) -> str:
    """A figure in per cent with its interval; "not trained" where there is none."""
    if not figures:
        return "not trained"
    bounds = figures.get(f"{metric}_interval")
    interval = f" ({100 * bounds[0]:.1f} to {100 * bounds[1]:.1f})" if bounds else ""
    return f"{100 * figures[metric]:.1f} %{interval}"


def tflite_speed(model, repetitions: int = 20) -> tuple[float, float]:
    """(real-time factor, megabytes) of the model as float32 TFLite on one thread: the median of a few runs."""
    audio = 0.1 * np.random.default_rng(0).standard_normal(int(CLIP_SECONDS * model.frontend.sample_rate)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = export(model, folder, format="tflite")
        edge = EdgeModel(path, threads=1)
        edge.outputs(audio)
        times = []
        for _ in range(repetitions):
            started = time.process_time()  # of its one thread, whatever else the machine does
            edge.outputs(audio)
            times.append(time.process_time() - started)
        return statistics.median(times) / CLIP_SECONDS, path.stat().st_size / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs from scratch")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "docs" / "results.md")
    arguments = parser.parse_args()
    main(arguments.data, arguments.runs, arguments.out)
