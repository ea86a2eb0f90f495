"""The page of `multitask.py`: what its runs found, as tables and plots."""

import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

from benchmarks.quality.multitask_runs import (ALONE, ALONE_LONG, FEW, HEADS, RELATED, RELATED_NETWORKS, SHARINGS,
                                               TUNED, WEIGHTINGS, settings)
from tools.marked_page import write_between

# Parts of the page, each between marks of its own and written when there are runs for it.
METHODS, FEW_LABELS, RELATEDNESS = "methods", "few labels, ", "relatedness"
FEW_WAYS = {"hard": "together", TUNED: "tuned"}
FEW_NAMES = {"hard": "with the others", TUNED: "tuned from the others"}
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


def interval_text(found: tuple[float, float] | None) -> str:
    """What `mean_and_half` gives, times 100 with the ends of the interval, `marked`."""
    if not found:
        return ""
    mean, half = 100 * found[0], 100 * found[1]
    return marked(f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})", found)


def marked(text: str, found: tuple[float, float] | None) -> str:
    """A text in bold where the whole interval of a gain is above zero, with a triangle where it is below."""
    if found and found[0] > found[1]:
        return f"**{text}**"
    return f"*{text}* ▲" if is_loss(found) else text


def is_loss(found: tuple[float, float] | None) -> bool:
    """Whether the whole interval of a gain is below zero."""
    return found is not None and -found[0] > found[1]


def spread_text(values, sign: str = "") -> str:
    """Mean and standard deviation in per cent; the mean alone for one value."""
    values = [100 * value for value in values]
    if not values:
        return "not run"
    return f"{statistics.mean(values):{sign}.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def methods_of(results: list[dict]) -> list[str]:
    """The methods that have results, in the order of the tables."""
    there = {result["method"] for result in results}
    return [method for method in (ALONE, ALONE_LONG, *SHARINGS, *WEIGHTINGS) if method in there]


def label_of(method: str) -> str:
    """A method as the tables write it."""
    if method in (ALONE, ALONE_LONG):
        return method
    return "hard sharing, fixed weights" if method == "hard" else f"sharing `{method}`" if method in SHARINGS else \
        f"weighting `{method}`"


def error_table(results: list[dict]) -> list[str]:
    """Errors of each head under each method, and Delta-m."""
    lines = [f"| | seeds | {' | '.join(HEADS)} | Δm |", "|---|---|" + "---|" * (len(HEADS) + 1)]
    for method in methods_of(results):
        cells, seeds = [], 0
        for head in HEADS:
            errors = errors_by_seed(results, method, head)
            seeds = max(seeds, len(errors))
            difference = None if method == ALONE else gain(errors, errors_by_seed(results, ALONE, head))
            cells.append(marked(spread_text(errors.values()), difference))
        change = "" if method == ALONE else spread_text(delta_m(results, method).values(), "+")
        lines.append(f"| {label_of(method)} | {seeds} | {' | '.join(cells)} | {change} |")
    return lines


def cost_table(results: list[dict]) -> list[str]:
    """What each method costs: the least of the seeds, as other work on the machine only adds."""
    lines = ["| | parameters | million multiply-accumulates a second of audio | a training step, s of processor time | "
             "peak memory, MB |", "|---|---|---|---|---|"]
    for method in methods_of(results):
        own = [result for result in results if result["method"] == method]
        if method == ALONE_LONG:
            continue  # as alone
        networks = defaultdict(list)
        for result in own:
            networks[tuple(result["heads"])].append(result)
        parameters, macs, seconds, peak = (
            [min(result[figure] for result in same) for same in networks.values()]
            for figure in ("parameters", "macs_per_second", "seconds_per_step", "peak_megabytes"))
        name = f"{label_of(method)}, the {len(networks)} networks together" if method == ALONE else label_of(method)
        lines.append(f"| {name} | {sum(parameters):,} | {sum(macs) / 1e6:.1f} | {statistics.mean(seconds):.3f}"
                     f"{' each' if method == ALONE else ''} | {statistics.mean(peak):.0f} |")
    return lines


def where_it_hurts(results: list[dict]) -> list[str]:
    """A line for each head that shared training makes worse beyond chance."""
    lines = []
    for head in HEADS:
        for base in (ALONE, ALONE_LONG):
            losses = []
            for method in methods_of(results):
                difference = gain(errors_by_seed(results, method, head), errors_by_seed(results, base, head))
                if method not in (ALONE, ALONE_LONG) and is_loss(difference):
                    losses.append(f"{label_of(method)} ({-100 * difference[0]:.1f} points)")
            if losses:
                lines.append(f"- `{head}` is worse than {base} under {', '.join(losses)}.")
    return lines or ["No head is worse than alone by more than the interval of its difference, under any method with "
                     "two seeds."]


def few_label_table(results: list[dict], method: str) -> list[str]:
    """Errors of a head that has few labels, alone and with what it gets from the other heads under `method`."""
    lines = [f"| head | labels | seeds | alone | {FEW_NAMES[method]} | gain, points (95 % interval) |",
             "|---|---|---|---|---|---|"]
    for head in HEADS:
        for percent in (*FEW, 100):
            alone, shared = (errors_by_seed(results, name, head, percent) for name in (ALONE, method))
            if shared:
                count = with_labels(results, head, percent)[0]["labels"][head]
                lines.append(f"| {head} | {count} ({percent} %) | {len(alone.keys() & shared.keys())} | "
                             f"{spread_text(alone.values())} | {spread_text(shared.values())} | "
                             f"{interval_text(gain(shared, alone))} |")
    for percent in (*FEW, 100):
        changes = delta_m(results, method, percent)
        if len(changes) > 1:
            lines.append(f"| all, Δm in % | {percent} % | {len(changes)} | | | "
                         f"{interval_text(mean_and_half(list(changes.values())))} |")
    return lines


def relatedness_section(folder: Path, page: Path) -> list[str]:
    """What `--relate` found; its picture is put beside the page."""
    found = json.loads((folder / RELATED).read_text(encoding="utf-8"))
    picture = page.with_name(f"{page.stem}_relatedness.png")
    picture.write_bytes((folder / "relatedness.png").read_bytes())
    lines = ["`--relate` (`speechzoo relate`), hard sharing, seed 1. Affinity (TAG, Fifty et al. 2021): by how many",
             "per cent a step on the row's head alone lowers the column's loss, mean over the training; negative where it",
             "raises it.", "", f"| | {' | '.join(found['heads'])} |", "|---|" + "---|" * len(found["heads"])]
    for head, row in zip(found["heads"], found["affinity"]):
        lines.append(f"| {head} | {' | '.join('' if value is None else f'{100 * value:+.2f}' for value in row)} |")
    groups = "; ".join(", ".join(f"`{head}`" for head in group) for group in found["grouping"]["groups"])
    return [*lines, "", f"Proposed for at most {RELATED_NETWORKS} networks: {groups}.", "",
            f"![Affinity, cosine of gradients, similarity of representations]({picture.name})"]


def plot_methods(results: list[dict], path: Path):
    """Delta-m of every method: a bar for the mean, a dot for each seed."""
    import matplotlib.pyplot as plt

    changes = {label_of(method).replace("`", ""): [100 * value for value in delta_m(results, method).values()]
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
        for name, label in ((ALONE, "alone"), (method, FEW_NAMES[method])):
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


def methods_section(results: list[dict], page: Path) -> list[str]:
    """Errors and costs of all methods, from the runs with all labels; their picture is put beside the page."""
    common, seeds = results[0]["settings"], {result["seed"] for result in results}
    plot_methods(results, page.with_suffix(".png"))
    return [
        "Errors in %: equal error rate of `speaker`, frames with a wrong phone of `alignment`, wrong answers",
        f"otherwise; mean ± standard deviation over seeds ({len(seeds)} so far). {common['steps']} training steps of",
        f"{common['seconds_per_batch']} s of audio each; nobody who speaks in the test is trained on. **Bold**",
        "is better than alone, ▲ worse, where the 95 % interval of the difference leaves out zero; where nothing",
        "differs, one cell in twenty is marked by chance. Δm is the mean over the heads of the relative gain on",
        "alone, in % (Maninis et al. 2019, https://arxiv.org/abs/1904.08918, of errors).", "",
        *error_table(results), "", f"![Δm of the methods]({page.stem}.png)", "",
        "### What they cost", "", *cost_table(results), "", "### Where it hurts", "", *where_it_hurts(results)]


def few_label_section(results: list[dict], method: str, page: Path) -> list[str]:
    """What a head with few labels gets from the others under `method`; its picture is put beside the page."""
    picture = page.with_name(f"{page.stem}_few_labels_{FEW_WAYS[method]}.png")
    plot_few_labels(results, method, picture)
    return [*few_label_table(results, method), "", f"![Few labels, {FEW_WAYS[method]}]({picture.name})"]


def write_page(results: list[dict], page: Path, related: Path):
    """Writes the parts of the page that there are results for, each between its marks, and leaves the rest as it is.

    Args:
        results: Of the runs.
        page: docs/multitask.md, or another file with its marks.
        related: Folder of what `--relate` found, which may not be there.
    """
    parts = {}
    whole = [result for result in results if not result["few"]]
    if {result["method"] for result in whole} & {*SHARINGS, *WEIGHTINGS}:
        parts[METHODS] = methods_section(whole, page)
    for method, way in FEW_WAYS.items():
        if any(result["few"] and result["method"] == method for result in results):
            parts[FEW_LABELS + way] = few_label_section(results, method, page)
    if (related / RELATED).is_file():
        parts[RELATEDNESS] = relatedness_section(related, page)
    for part, lines in parts.items():
        write_between(page, *marks(part), lines)


def marks(part: str) -> tuple[str, str]:
    """What stands before and behind a part of the page."""
    return f"<!-- {part}: written by benchmarks/quality/multitask.py -->", f"<!-- end of {part} -->"
