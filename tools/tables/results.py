"""Every head of every trained model: the `metrics.json` of the checkpoints, `results.csv` and `results_costs.csv`."""

import json
from pathlib import Path

from speechzoo.metrics.direction import lower_is_better
from tools.figures import ROOT, read_figures
from tools.markdown import percent, table

CHECKPOINTS = ROOT / "speechzoo" / "checkpoints"
# Head -> metrics of the table.
METRICS = {"transcript": ("wer", "cer"), "phones": ("per",), "speaker": ("eer",), "speech": ("accuracy", "auc")}
OTHER_METRICS = ("accuracy", "macro_f1")
DICTATION, TOGETHER, ALONE = "dictation", "together", "alone"


def read_metrics(model: str) -> dict:
    """What `metrics.json` of a checkpoint holds."""
    return json.loads((CHECKPOINTS / model / "metrics.json").read_text(encoding="utf-8"))


def sections(folder: Path) -> list[str]:
    """A section per checkpoint."""
    rows, costs = read_figures(folder / "results.csv"), read_figures(folder / "results_costs.csv")
    lines = []
    for path in sorted(CHECKPOINTS.glob("*/metrics.json")):
        model = path.parent.name
        found = {(row["run"], row["corpus"], row["head"], row["metric"]): row for row in rows if row["model"] == model}
        lines += [f"## {model}", "", cost_line(read_metrics(model), [row for row in costs if row["model"] == model]),
                  "", *heads_table(read_metrics(model)["results"], found), ""]
    return lines[:-1]


def cost_line(metrics: dict, costs: list[dict]) -> str:
    """What the network takes."""
    line = (f"{metrics['parameters']:,} parameters, {metrics['macs_per_second'] / 1e6:.0f} million "
            "multiply-accumulates per second of audio")
    for cost in costs:
        line += (f"; as float32 TFLite {cost['megabytes']:.1f} MB, real-time factor {cost['real_time_factor']:.4f} on "
                 f"one thread ({cost['clip_seconds']} s clip)")
    return f"{line}."


def heads_table(results: dict, found: dict[tuple[str, str, str, str], dict]) -> list[str]:
    """A line per corpus, head and metric.

    Args:
        results: Of a `metrics.json`.
        found: (run, corpus, head, metric) -> row of `results.csv`.
    """
    steps = {run: {row["head"]: row["steps"] for (of, *_), row in found.items() if of == run}
             for run in (TOGETHER, ALONE)}
    from_scratch = bool(steps[TOGETHER] or steps[ALONE])
    columns = ["corpus", "head", "metric", "utterances", "zoo"]
    if from_scratch:
        together = next(iter(steps[TOGETHER].values()), None)
        columns += ["together" if together is None else f"together, {together:,} steps", "alone", "its steps"]
    lines = []
    for corpus, heads in results.items():
        if corpus in ("overall", "_skipped"):
            continue
        for head, figures in heads.items():
            for metric in METRICS.get(head, OTHER_METRICS):
                if metric not in figures:
                    continue
                shared, single = (found.get((run, corpus, head, metric)) for run in (TOGETHER, ALONE))
                gain = shared and single and (single["value"] - shared["value"]) * (1 if lower_is_better(metric) else -1)
                name = head if gain is None or gain < 0 else f"**{head}**"
                value = percent(figures[metric], *figures.get(f"{metric}_interval", ()))
                line = [corpus, name, metric, figures["n"], value]
                if from_scratch:
                    line += [run_cell(shared), run_cell(single), f"{steps[ALONE][head]:,}" if head in steps[ALONE] else ""]
                lines.append(line)
                spoken = found.get((DICTATION, corpus, head, metric))
                if spoken:
                    lines.append([corpus, head, f"{metric}, dictation", figures["n"], run_cell(spoken),
                                  *[""] * (len(columns) - 5)])
    return table(columns, lines, left=3)


def run_cell(row: dict | None) -> str:
    """A figure of a run; "not trained" where there is none."""
    return percent(row["value"], row["low"], row["high"]) if row else "not trained"


TABLES = {"results": sections}
