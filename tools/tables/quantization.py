"""What every exported format costs and gives: `quantization.csv` and `quantization_costs.csv`."""

from pathlib import Path

from speechzoo.metrics.direction import lower_is_better
from tools.figures import read_figures
from tools.markdown import percent, table

# What `--quantize` takes, and behind a comma `--quantizer`.
FORMATS = ("none", "float16", "dynamic", "int8", "int16x8", "dynamic, ai-edge", "int8, ai-edge", "int16x8, ai-edge")
BAR = 0.5  # points that a head may lose
# What is shown of a head's figures; slots are rarely right all together.
METRICS = ("wer", "cer", "per", "eer", "f1", "accuracy")
# The format that is calibrated in other ways, too, and these.
CALIBRATED_FORMAT = "int8"
CALIBRATIONS = {
    "chosen": "training recordings that differ most (`--representative`)",
    "even": "as many training recordings, at even steps",
    "varied": "the chosen ones, also at a tenth of their level and in noise at 5 dB",
    "bundled": "the recordings that come with the package",
}


def sections(folder: Path) -> list[str]:
    """A section per model: costs, heads, and calibrations where there are several."""
    heads, costs = read_figures(folder / "quantization.csv"), read_figures(folder / "quantization_costs.csv")
    lines = []
    for model in sorted({row["model"] for row in heads}):
        own = [row for row in heads if row["model"] == model]
        chosen = by_format([row for row in own if row["calibration"] == "chosen"], "format")
        lines += [f"### {model}", "", *cost_table([row for row in costs if row["model"] == model], chosen), "",
                  *heads_table(chosen), ""]
        calibrated = by_format([row for row in own if row["format"] == CALIBRATED_FORMAT], "calibration")
        if len(calibrated) > 1:
            lines += [f"`{CALIBRATED_FORMAT}`, points lost by what it is calibrated with:", "",
                      *calibration_table(calibrated, chosen["none"]), ""]
    return lines[:-1]


def by_format(rows: list[dict], column: str) -> dict[str, dict[tuple[str, str], dict]]:
    """Format, or calibration -> (head, metric) -> row."""
    found = {}
    for row in rows:
        found.setdefault(row[column], {})[row["head"], row["metric"]] = row
    return found


def shown(figures: dict) -> list[str]:
    """The metrics of a head that the tables have."""
    return [metric for metric in METRICS if metric in figures and not (metric == "accuracy" and "f1" in figures)]


def points_lost(rows: dict, name: str, key: tuple[str, str]) -> float:
    """Points by which a format is worse than float32."""
    change = 100 * (rows[name][key]["value"] - rows["none"][key]["value"])
    return round(change if lower_is_better(key[1]) else -change, 4)


def signed(points: float) -> str:
    """`+0.3`; never `-0.0`."""
    return f"{round(points, 1) + 0.0:+.1f}"


def heads_table(rows: dict) -> list[str]:
    """A line per head and metric: what float32 gives, and the points by which each format differs."""
    formats = [name for name in FORMATS if name in rows]
    lines = []
    for (head, metric), row in rows["none"].items():
        cells = [head, metric, row["n"], percent(row["value"])]
        for name in formats[1:]:
            lost = points_lost(rows, name, (head, metric))
            cells.append(signed(lost if lower_is_better(metric) else -lost) + (" ▲" if lost > BAR else ""))
        lines.append(cells)
    names = ["float32" if name == "none" else name for name in formats]
    return table(["head", "metric", "utterances", *names], lines, left=2)


def cost_table(costs: list[dict], rows: dict) -> list[str]:
    """A line per format: size, latency, memory, and the head that loses most."""
    lines, costs = [], {row["format"]: row for row in costs}
    for name in (name for name in FORMATS if name in costs):
        lost = {key: points_lost(rows, name, key) for key in rows["none"]}
        worst = max(lost, key=lost.get)
        most = f"{' '.join(worst)}: {lost[worst]:.1f}" if round(lost[worst], 1) > 0 else "nothing"
        lines.append(["float32" if name == "none" else name, f"{costs[name]['megabytes']:.2f} MB",
                      f"{costs[name]['latency_ms']:.1f} ms", f"{costs[name]['peak_memory_mb']:.0f} MB",
                      "" if name == "none" else most])
    return table(["format", "file", "latency of 3 s", "peak memory", "loses most"], lines)


def calibration_table(rows: dict, exact: dict) -> list[str]:
    """A line per way to calibrate: points that each head loses by it."""
    first = {}
    for head, metric in exact:
        first.setdefault(head, (head, metric))
    lines = [[text, *(signed(points_lost({"none": exact, name: rows[name]}, name, key)) for key in first.values())]
             for name, text in CALIBRATIONS.items() if name in rows]
    return table(["calibrated with", *(", ".join(key) for key in first.values())], lines)


TABLES = {"quantization": sections}
