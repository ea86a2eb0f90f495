"""The zoo's figures: every head of every trained model beside the same network trained for that head alone.

    python benchmarks/results.py --data PREPARED --runs RUNS

evaluates each zoo model that has a checkpoint, and each single-task run found as RUNS/<model>-<head>, on the model's dev
sources (speakers held out of training), in one go, and writes docs/results.md. The single-task runs come from

    speechzoo train <model> data.root=PREPARED --heads <head> --out RUNS/<model>-<head>
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from speechzoo.decoding.language_model import load_language_model
from speechzoo.decoding.lexicon_search import LexiconSearch
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.evaluation import evaluate
from speechzoo.exporters import export
from speechzoo.profiling import count_macs
from speechzoo.registry import checkpoint_weights, list_models, load

# Head type -> metrics of the table, and whether less is better.
METRICS = {"transcript": ("wer", "cer"), "phones": ("per",), "speaker": ("eer",)}
FALLING = ("wer", "cer", "per", "eer")
CLIP_SECONDS = 3.0


def main(data: Path, runs: Path, out: Path):
    """Evaluates everything and writes the page."""
    sections = [section(name, data, runs) for name in trained_models()]
    page = ["# Results", "",
            "Figures on the dev splits, whose speakers were never trained on, with 95 % bootstrap intervals over speakers.",
            "Written by `python benchmarks/results.py --data PREPARED --runs RUNS`; `single-task` is the same front end and",
            "backbone trained from scratch with that head alone, on those of the same recordings that have its label, for so",
            "many steps. A head in bold is at least as good together as alone. `wer, dictation` is `--dictation`: the words of",
            "CMUdict found by the phones, with PocketSphinx's 3-gram of English.", "",
            "The multi-task models were trained for many more steps than these (see their cards), so a bold head does not yet",
            "say what sharing buys; [multitask.md](multitask.md) is for that, with equal budgets.", ""]
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
    alone, steps = {}, {}
    for head in model.heads:
        run = runs / f"{name}-{head}"
        if (run / "final.weights.h5").is_file():
            alone[head] = evaluate(load(run), sources, heads=[head])
            steps[head] = json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])["step"]
    factor, megabytes = tflite_speed(model)
    lines = [f"## {name}", "", f"{model.count_params():,} parameters, {count_macs(model) / 1e6:.0f} million multiply-accumulates "
             f"a second of audio; as float32 TFLite {megabytes:.1f} MB, real-time factor {factor:.4f} on one thread "
             f"({CLIP_SECONDS:g} s clip).", "",
             "| corpus | head | metric | utterances | multi-task | single-task | its steps |", "|---|---|---|---|---|---|---|"]
    for corpus, heads in together.items():
        if corpus in ("overall", "_skipped") and len([key for key in together if key != "_skipped"]) > 2:
            continue
        for head, figures in heads.items():
            for metric in METRICS.get(head, ("accuracy", "macro_f1")):
                if metric not in figures:
                    continue
                other = alone.get(head, {}).get(corpus, {}).get(head)
                better = other and (figures[metric] <= other[metric] if metric in FALLING else figures[metric] >= other[metric])
                lines.append(f"| {corpus} | {f'**{head}**' if better else head} | {metric} | {figures['n']} | "
                             f"{cell(figures, metric)} | {cell(other, metric) if other else 'not trained'} | {steps.get(head, '')} |")
                if metric == "wer" and dictated:
                    lines.append(f"| {corpus} | {head} | wer, dictation | {figures['n']} | "
                                 f"{cell(dictated[corpus][head], metric)} | | |")
    return "\n".join(lines) + "\n"


def cell(figures: dict, metric: str) -> str:
    """A figure in per cent with its interval."""
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
            started = time.perf_counter()
            edge.outputs(audio)
            times.append(time.perf_counter() - started)
        return statistics.median(times) / CLIP_SECONDS, path.stat().st_size / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the single-task runs")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "results.md")
    arguments = parser.parse_args()
    main(arguments.data, arguments.runs, arguments.out)
