"""The README's tables of the zoo: models with weights, from the index of what is trained, and recipes without."""

from pathlib import Path

from speechzoo.registry import ModelSummary, list_models, summarize
from tools.figures import read_figures
from tools.markdown import percent, table


def zoo(folder: Path) -> list[str]:
    """A line per model with weights, the largest first: what it answers and how well, what it costs, its licence."""
    models = sorted(map(summarize, list_models(pretrained=True)), key=lambda model: -model.parameters)
    columns = ["model", "backbone",
               "heads, and how often they are right on speakers held out of training, or wrong (WER, PER, EER)",
               "licence of the weights", "weights", "parameters", "multiply-accumulates per second of audio"]
    return table(columns, [
        [f"`{model.name}`", model.backbone + (", streaming" if model.streaming else ""),
         ", ".join(_figure(head, model.figures[head]) + _weak(model.weak.get(head)) for head in model.heads), _licence(model),
         _rounded(model.size_bytes, "B"), _rounded(model.parameters), _rounded(model.macs_per_second)]
        for model in models], left=4)


def recipes(folder: Path) -> list[str]:
    """A line per model that is still to be trained."""
    lines = []
    for row in read_figures(folder / "recipes.csv"):
        model = summarize(row["name"])
        lines.append([f"`{model.name}`", model.summary.removesuffix("."), _rounded(row["parameters"]),
                      _rounded(row["macs_per_second"])])
    return table(["recipe", "what it is", "parameters", "multiply-accumulates per second of audio"], lines, left=2)


def _figure(head: str, figures: dict[str, float]) -> str:
    """`phones 17.6 % PER`; an accuracy goes without its name."""
    (name, value), = figures.items()
    return f"{head} {percent(value)}" + (f" {name.upper()}" if name != "accuracy" else "")


def _weak(classes: list[str] | None) -> str:
    """The classes that a head doesn't answer."""
    return f" (not {', '.join(classes)})" if classes else ""


def _licence(model: ModelSummary) -> str:
    """The licence of the weights, and what they derive from."""
    sources = ", ".join(source["name"] for source in model.derived_from)
    return model.licence + (f", from {sources}" if sources else "")


def _rounded(number: float, unit: str = "") -> str:
    """Three figures: `3.59 M`, `32.3 k`, `21.4 MB`."""
    scale, letter = (1e6, "M") if number >= 1e6 else (1e3, "k")
    return f"{number / scale:.3g} {letter}{unit}"


TABLES = {"zoo": zoo, "recipes": recipes}
