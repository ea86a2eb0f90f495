"""Models side by side: `compare.csv`."""

from pathlib import Path

from speechzoo.metrics.direction import lower_is_better
from tools.figures import read_figures
from tools.markdown import percent, table

ALL, UNHEARD = "all", "unheard"
ORDERS = "coffee_orders"
CONDITIONS = {ORDERS: "none", f"{ORDERS} in kitchen20": "Kitchen20, held-out recordings",
              f"{ORDERS} in noise": "a washing machine"}


def compare(folder: Path) -> list[str]:
    """All figures of all models."""
    return compare_table(read_figures(folder / "compare.csv"))


def compare_table(rows: list[dict]) -> list[str]:
    """A line per corpus, head and metric, a column per model and kind of speakers."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    figures = {(row["speakers"], row["corpus"], row["head"], row["metric"], row["model"]): row for row in rows}
    groups = [speakers for speakers in (ALL, UNHEARD) if any(row["speakers"] == speakers for row in rows)]
    # The last model's order of heads: it is the one whose recordings these are.
    keys = dict.fromkeys((row["corpus"], row["head"], row["metric"])
                         for model in reversed(models) for row in rows if row["model"] == model)
    columns, lines = ["corpus", "head", "metric"], []
    for speakers in groups:
        columns += [heading if speakers == ALL else f"{heading}, {speakers}" for heading in ("n", *models)]
    for key in sorted(keys, key=lambda key: key[0]):
        cells = list(key)
        for speakers in groups:
            cells += group_cells([figures.get((speakers, *key, model)) for model in models])
        lines.append(cells)
    return table(columns, lines, left=3)


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
    text = percent(row["value"], row["low"], row["high"])
    value, mark, interval = text.partition(" %")
    return f"**{value}{mark}**{interval}" if bold else text


def orders(folder: Path, model: str, beside: str) -> list[str]:
    """Coffee orders that one model understands, beside those of another."""
    figures = {(row["model"], row["corpus"], row["metric"]): row for row in read_figures(folder / "compare.csv")
               if row["speakers"] == ALL and row["head"] == "command"}
    return table(["noise", "right", "exact: nothing added", f"`{beside}`, right"], [
        [text, cell(figures[model, corpus, "accuracy"], False), cell(figures[model, corpus, "exact"], False),
         percent(figures[beside, corpus, "accuracy"]["value"])] for corpus, text in CONDITIONS.items()])


TABLES = {"compare": compare, "compare_orders": orders}
