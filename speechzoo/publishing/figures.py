"""Figures of a model as its page on the hub shows them: a table, and files that the hub reads."""

import json
import math
from pathlib import Path

import yaml

from speechzoo.registry import main_figure

OVERALL = "overall"
# Corpus of an evaluation -> its data set on the hub.
DATASETS = {"librispeech": "openslr/librispeech_asr", "speech_commands": "google/speech_commands",
            "speechocean762": "mispeech/speechocean762", "esc10": "ashraq/esc50", "esc50": "ashraq/esc50"}


def read_figures(path: str | Path) -> dict:
    """The figures that `speechzoo evaluate --json` wrote: corpus -> head -> metric -> value.

    Raises:
        ValueError: Another kind of file.
        OSError: It can't be read.
    """
    try:
        figures = json.loads(Path(path).read_text(encoding="utf-8"))
        return {corpus: {head: {"n": int(scores["n"]), **scores} for head, scores in heads.items()}
                for corpus, heads in figures.items() if not corpus.startswith("_")}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError(f"{path}: holds no figures; give what speechzoo evaluate --json wrote") from None


def figures_table(figures: dict) -> list[str]:
    """Lines of a table in Markdown: the main metric of each head, per corpus."""
    lines = ["| head | metric | corpus | value (95 % interval) | recordings |", "| --- | --- | --- | ---: | ---: |"]
    for corpus, head, metric, value, interval, count in _rows(figures):
        ends = f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
        where = "all" if corpus == OVERALL else corpus
        lines.append(f"| {head} | {metric} | {where} | {value:.1f} %{ends} | {count} |")
    return lines


def eval_results(figures: dict, how: str) -> dict[str, str]:
    """Name of a file in `.eval_results/` -> its text, a file for each corpus that has a data set on the hub.

    The format is that of https://huggingface.co/docs/hub/eval-results. Which tasks a data set has, it says itself where
    it is a benchmark; ours are named after head and metric.

    Args:
        figures: Corpus -> head -> metric -> value.
        how: What was measured on and by which command; it stands behind every figure.
    """
    files = {}
    for corpus, head, metric, value, interval, count in _rows(figures):
        if corpus in DATASETS:
            ends = f", 95 % interval {interval[0]:.1f} to {interval[1]:.1f}" if interval else ""
            files.setdefault(f"{corpus}.yaml", []).append({
                "dataset": {"id": DATASETS[corpus], "task_id": f"{head}_{metric}"}, "value": round(value, 2),
                "notes": f"per cent, {count} recordings{ends}; {how}"})
    return {name: yaml.safe_dump(entries, sort_keys=False, width=120) for name, entries in files.items()}


def _rows(figures):
    """The main figure of each head: corpus, head, metric, value and ends of its interval in per cent, recordings."""
    heads = dict.fromkeys(head for scores in figures.values() for head in scores)
    for head in heads:
        for corpus, scores in figures.items():
            for metric, value in main_figure(scores.get(head, {})).items():
                if math.isfinite(value):
                    interval = [100 * end for end in scores[head].get(f"{metric}_interval", ())]
                    yield corpus, head, metric, 100 * value, interval, scores[head]["n"]
