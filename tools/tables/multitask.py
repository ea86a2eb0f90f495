"""What sharing one network brings to six tasks: `multitask_*.csv`."""

from pathlib import Path

from tools.figures import read_figures
from tools.markdown import fill, percent, table

DELTA = "delta_m"
HARD = "hard"
WAYS = {"together": "with the others", "tuned": "tuned from the others"}


def label_of(method: str, kind: str) -> str:
    """A method as the tables write it; `kind` is `alone`, `sharing` or `weighting`."""
    if kind == "alone":
        return method
    return "hard sharing, fixed weights" if method == HARD else f"{kind} `{method}`"


def marked(text: str, verdict: str | None) -> str:
    """A text in bold where it is `better`, with a triangle where it is `worse`."""
    return {"better": f"**{text}**", "worse": f"*{text}* ▲"}.get(verdict, text)


def spread(mean: float | None, deviation: float | None, sign: str = "") -> str:
    """Mean and standard deviation in per cent; the mean alone of one value."""
    if mean is None:
        return "not run"
    return f"{100 * mean:{sign}.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")


def errors(folder: Path) -> list[str]:
    """Errors of each head under each method, and Delta-m."""
    rows = read_figures(folder / "multitask_errors.csv")
    heads = [head for head in dict.fromkeys(row["head"] for row in rows) if head != DELTA]
    lines = []
    for method, kind in dict.fromkeys((row["method"], row["kind"]) for row in rows):
        own = {row["head"]: row for row in rows if row["method"] == method}
        change = own.get(DELTA)
        lines.append([label_of(method, kind), max(row["seeds"] for row in own.values()), *(
            marked(spread(own[head]["mean"], own[head]["deviation"]), own[head]["than_alone"]) if head in own
            else "not run" for head in heads), spread(change["mean"], change["deviation"], "+") if change else ""])
    return table(["", "seeds", *heads, "Δm"], lines)


def costs(folder: Path) -> list[str]:
    """What each method costs."""
    lines = []
    for row in read_figures(folder / "multitask_costs.csv"):
        several = row["networks"] > 1
        name = label_of(row["method"], row["kind"]) + (f", the {row['networks']} networks together" if several else "")
        lines.append([name, fill("{parameters:,}", row), f"{row['macs_per_second'] / 1e6:.1f}",
                      f"{row['seconds_per_step']:.3f}{' each' if several else ''}", f"{row['peak_megabytes']:.0f}"])
    return table(["", "parameters", "million multiply-accumulates per second of audio",
                  "training step, s of processor time", "peak memory, MB"], lines)


def few_labels(folder: Path, way: str) -> list[str]:
    """Errors of a head that has few labels, alone and with what it gets from the other heads."""
    lines = []
    for row in read_figures(folder / "multitask_few_labels.csv"):
        if row["way"] != way:
            continue
        gain = ""
        if row["gain"] is not None:
            mean, low, high = (100 * row[name] for name in ("gain", "low", "high"))
            gain = marked(f"{mean:+.1f} ({low:+.1f} to {high:+.1f})",
                          "better" if low > 0 else "worse" if high < 0 else None)
        lines.append(["all, Δm in %" if row["head"] == DELTA else row["head"],
                      f"{row['percent']} %" if row["labels"] is None else f"{row['labels']} ({row['percent']} %)",
                      row["seeds"], *(["", ""] if row["head"] == DELTA else
                                      [spread(row["alone"], row["alone_deviation"]),
                                       spread(row["shared"], row["shared_deviation"])]), gain])
    return table(["head", "labels", "seeds", "alone", WAYS[way], "gain, points (95 % interval)"], lines)


def affinities(folder: Path) -> list[str]:
    """By how much a step on the row's head alone lowers the column's loss, and the networks that are proposed."""
    rows = read_figures(folder / "multitask_affinity.csv")
    heads, groups = [row["head"] for row in rows], {}
    for row in rows:
        groups.setdefault(row["network"], []).append(f"`{row['head']}`")
    lines = [[row["head"], *("" if row[head] is None else f"{100 * row[head]:+.2f}" for head in heads)] for row in rows]
    return [*table(["", *heads], lines), "",
            f"Networks proposed: {'; '.join(map(', '.join, groups.values()))}."]


def weights(folder: Path) -> list[str]:
    """Weights of losses by hand beside those that are learnt; the better in bold."""
    lines = []
    for row in read_figures(folder / "multitask_weights.csv"):
        ways = ("by_hand", "famo")
        best = (min if row["metric"].endswith("error rate") else max)(row[way] for way in ways)
        cells = []
        for way in ways:
            value, mark, interval = percent(row[way], row[f"{way}_low"], row[f"{way}_high"]).partition(" %")
            cells.append(f"**{value}{mark}**{interval}" if row[way] == best else f"{value}{mark}{interval}")
        lines.append([row["head"], row["metric"], *cells])
    return table(["head", "metric", "weights by hand", "`famo`"], lines, left=2)


TABLES = {"multitask_errors": errors, "multitask_costs": costs, "multitask_few_labels": few_labels,
          "multitask_affinity": affinities, "multitask_weights": weights}
