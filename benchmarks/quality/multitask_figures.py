"""The figures of `multitask.py`: what its runs found, as rows and plots."""

import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

from benchmarks.quality.multitask_runs import (ALONE, ALONE_LONG, FEW, HEADS, RELATED, SHARINGS, TUNED, WEIGHTINGS,
                                               settings)
from tools.figures import write_figures
from tools.tables.multitask import DELTA, WAYS, label_of

# How the other heads help one with few labels: as its own method, or as weights that it starts from.
FEW_WAYS = {"hard": "together", TUNED: "tuned"}
# 97.5 % quantiles of Student's t, by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23}


def read_runs(runs: Path, steps: int | None = None) -> list[dict]:
    """All results in a folder.

    Raises:
        ValueError: They were not all made with the same settings.
    """
    results = []
    for path in sorted(runs.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        wanted = results[0]["settings"] if steps is None and results else settings(steps or result["settings"]["steps"])
        if result["settings"] != wanted:
            raise ValueError(f"{path}: made with other settings ({result['settings']}, not {wanted}); "
                             "take another --runs")
        results.append(result)
    return results


def errors_by_seed(results: list[dict], method: str, head: str, percent: int = 100) -> dict[int, float]:
    """Seed -> error of one head under one method, with so many of its labels."""
    return {result["seed"]: result["errors"][head] for result in with_labels(results, head, percent)
            if result["method"] == method}


def with_labels(results: list[dict], head: str, percent: int = 100) -> list[dict]:
    """The results of runs where a head has so many of its labels, and the others all."""
    few = None if percent == 100 else head
    return [result for result in results if result["few"] == few and result["percent"] == percent
            and head in result["errors"]]


def delta_m(results: list[dict], method: str, percent: int = 100) -> dict[int, float]:
    """Seed -> mean over the heads of the relative gain on training alone (Maninis et al. 2019), a fraction.

    All measures are errors; the baseline is the mean of `alone` over its seeds. Only seeds that have all heads count.
    With less than 100 per cent each head is the one with so few labels in its turn.
    """
    alone = {head: errors_by_seed(results, ALONE, head, percent) for head in HEADS}
    if not all(alone.values()):
        return {}
    found = {head: errors_by_seed(results, method, head, percent) for head in HEADS}
    seeds = set.intersection(*(set(errors) for errors in found.values()))
    bases = {head: statistics.mean(errors.values()) for head, errors in alone.items()}
    return {seed: statistics.mean((bases[head] - found[head][seed]) / bases[head] for head in HEADS if bases[head] > 0)
            for seed in sorted(seeds)}


def gain(better: dict[int, float], base: dict[int, float]) -> tuple[float, float] | None:
    """Mean of base - better over the seeds that both have, and half its 95 % t interval; None with fewer than two."""
    return mean_and_half([base[seed] - better[seed] for seed in sorted(base.keys() & better.keys())])


def mean_and_half(values: list[float]) -> tuple[float, float] | None:
    """The mean and half its 95 % t interval; None of fewer than two values."""
    if len(values) < 2:
        return None
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), STUDENT.get(len(values) - 1, 1.96) * spread


def verdict(found: tuple[float, float] | None) -> str | None:
    """`better` where the whole interval of a gain is above zero, `worse` where it is below."""
    if not found or abs(found[0]) <= found[1]:
        return None
    return "better" if found[0] > 0 else "worse"


def mean_and_deviation(values) -> tuple[float, float | None]:
    """Mean and standard deviation; no deviation of one value."""
    values = list(values)
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def methods_of(results: list[dict]) -> list[str]:
    """The methods that have results, in the order of the tables."""
    there = {result["method"] for result in results}
    return [method for method in (ALONE, ALONE_LONG, *SHARINGS, *WEIGHTINGS) if method in there]


def kind_of(method: str) -> str:
    """`alone`, `sharing` or `weighting`."""
    return "alone" if method in (ALONE, ALONE_LONG) else "sharing" if method in SHARINGS else "weighting"


def error_rows(results: list[dict]) -> list[dict]:
    """A row per method and head: mean and deviation over seeds, and how it compares with alone; Delta-m as a head."""
    rows = []
    for method in methods_of(results):
        for head in HEADS:
            errors = errors_by_seed(results, method, head)
            if errors:
                mean, deviation = mean_and_deviation(errors.values())
                compared = None if method == ALONE else verdict(gain(errors, errors_by_seed(results, ALONE, head)))
                rows.append({"method": method, "kind": kind_of(method), "head": head, "seeds": len(errors),
                             "mean": mean, "deviation": deviation, "than_alone": compared})
        changes = {} if method == ALONE else delta_m(results, method)
        if changes:
            mean, deviation = mean_and_deviation(changes.values())
            rows.append({"method": method, "kind": kind_of(method), "head": DELTA, "seeds": len(changes),
                         "mean": mean, "deviation": deviation, "than_alone": None})
    return rows


def cost_rows(results: list[dict]) -> list[dict]:
    """What each method costs: the least of the seeds, as other work on the machine only adds."""
    rows = []
    for method in methods_of(results):
        if method == ALONE_LONG:
            continue  # as alone
        networks = defaultdict(list)
        for result in results:
            if result["method"] == method:
                networks[tuple(result["heads"])].append(result)
        parameters, macs, seconds, peak = (
            [min(result[figure] for result in same) for same in networks.values()]
            for figure in ("parameters", "macs_per_second", "seconds_per_step", "peak_megabytes"))
        rows.append({"method": method, "kind": kind_of(method), "networks": len(networks),
                     "parameters": sum(parameters), "macs_per_second": sum(macs),
                     "seconds_per_step": statistics.mean(seconds), "peak_megabytes": statistics.mean(peak)})
    return rows


def few_label_rows(results: list[dict], method: str) -> list[dict]:
    """A row per head and share of its labels: errors alone, and with what it gets from the others under `method`."""
    rows = []
    for head in HEADS:
        for percent in (*FEW, 100):
            alone, shared = (errors_by_seed(results, name, head, percent) for name in (ALONE, method))
            if alone and shared:
                rows.append(few_label_row(method, head, percent, gain(shared, alone), len(alone.keys() & shared.keys()),
                                          with_labels(results, head, percent)[0]["labels"][head],
                                          (*mean_and_deviation(alone.values()), *mean_and_deviation(shared.values()))))
    for percent in (*FEW, 100):
        changes = delta_m(results, method, percent)
        if len(changes) > 1:
            rows.append(few_label_row(method, DELTA, percent, mean_and_half(list(changes.values())), len(changes)))
    return rows


def few_label_row(method: str, head: str, percent: int, found: tuple[float, float] | None, seeds: int,
                  labels: int | None = None, errors: tuple = (None,) * 4) -> dict:
    """A row; a gain that one seed alone has is left out."""
    mean, half = found or (None, None)
    return {"way": FEW_WAYS[method], "head": head, "percent": percent, "labels": labels, "seeds": seeds,
            **dict(zip(("alone", "alone_deviation", "shared", "shared_deviation"), errors)),
            "gain": mean, "low": found and mean - half, "high": found and mean + half}


def affinity_rows(folder: Path) -> list[dict]:
    """What `--relate` found: a row per head, with the network that it is put into, counted from 1."""
    found = json.loads((folder / RELATED).read_text(encoding="utf-8"))
    networks = {head: number for number, group in enumerate(found["grouping"]["groups"], 1) for head in group}
    return [{"head": head, "network": networks.get(head), **dict(zip(found["heads"], row))}
            for head, row in zip(found["heads"], found["affinity"])]


def plot_methods(results: list[dict], path: Path):
    """Delta-m of every method: a bar for the mean, a dot for each seed."""
    import matplotlib.pyplot as plt

    changes = {label_of(method, kind_of(method)).replace("`", ""): [100 * value for value in delta_m(results, method).values()]
               for method in methods_of(results) if method != ALONE}
    changes = {name: values for name, values in changes.items() if values}
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.3 * len(changes)))
    for place, (name, values) in enumerate(changes.items()):
        axes.barh(place, statistics.mean(values), color="tab:blue", alpha=0.6)
        axes.plot(values, [place] * len(values), "k.", markersize=5)
    axes.set_yticks(range(len(changes)), changes)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("Δm: mean relative gain on training alone, % (dots: seeds)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_few_labels(results: list[dict], method: str, path: Path):
    """Errors over the share of labels, alone and under `method`; bars are standard deviations over seeds."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(10, 6))
    for head, axes in zip(HEADS, panels.flat):
        shares = [percent for percent in (*FEW, 100) if errors_by_seed(results, method, head, percent)]
        for name, label in ((ALONE, "alone"), (method, WAYS[FEW_WAYS[method]])):
            found = [[100 * error for error in errors_by_seed(results, name, head, percent).values()]
                     for percent in shares]
            axes.errorbar(shares, [statistics.mean(errors) for errors in found],
                          [statistics.stdev(errors) if len(errors) > 1 else 0 for errors in found],
                          marker="o", capsize=3, label=label)
        axes.set(xscale="log", title=head, xlabel="labels, %", ylabel="error, %", xticks=shares, xticklabels=shares)
        axes.set_ylim(bottom=0)
    panels.flat[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write_all(results: list[dict], folder: Path, related: Path):
    """Writes the figures that there are results for, `multitask_*.csv`, and their pictures beside them.

    Args:
        results: Of the runs.
        folder: docs/figures, or another.
        related: Folder of what `--relate` found, which may not be there.
    """
    whole = [result for result in results if not result["few"]]
    if {result["method"] for result in whole} & {*SHARINGS, *WEIGHTINGS}:
        write_figures(folder / "multitask_errors.csv", error_rows(whole))
        write_figures(folder / "multitask_costs.csv", cost_rows(whole))
        plot_methods(whole, folder / "multitask.png")
    rows = []
    for method, way in FEW_WAYS.items():
        if any(result["few"] and result["method"] == method for result in results):
            rows += few_label_rows(results, method)
            plot_few_labels(results, method, folder / f"multitask_few_labels_{way}.png")
    if rows:
        write_figures(folder / "multitask_few_labels.csv", rows)
    if (related / RELATED).is_file():
        write_figures(folder / "multitask_affinity.csv", affinity_rows(related))
        (folder / "multitask_relatedness.png").write_bytes((related / "relatedness.png").read_bytes())
