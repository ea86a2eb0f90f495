"""Pictures of a `Relatedness`."""

from pathlib import Path

import numpy as np

from speechzoo.files import naming
from speechzoo.training.relate_tasks import Relatedness

# Title, values that the two ends of the colours stand for (None: the greatest found, either way).
_MATRICES = {"affinity": ("Affinity: the row's step for the column", None),
             "cosine": ("Cosine of gradients", 1.0), "similarity": ("Representations (linear CKA)", 1.0)}


def plot_relatedness(result: Relatedness, folder: str | Path) -> list[Path]:
    """Draws the matrices (`relatedness.png`) and the pairs' cosines over the training (`gradient_cosine.png`).

    Returns:
        The files; none when matplotlib (extra `[plots]`) isn't installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    matrices = {name: np.array(getattr(result, name), float) for name in _MATRICES if getattr(result, name) is not None}
    size = 1.5 + 0.6 * len(result.heads)
    figure = Figure(figsize=((size + 1) * len(matrices), size), layout="constrained")
    for axis, (name, values) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items()):
        title, limit = _MATRICES[name]
        others = values[~np.eye(len(values), dtype=bool)]  # a head's own affinity would hide all others
        limit = limit or np.nanmax(np.abs(others), initial=1e-12)
        picture = axis.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit)
        axis.set_xticks(range(len(values)), result.heads, rotation=60, ha="right")
        axis.set_yticks(range(len(values)), result.heads)
        axis.set_title(title, fontsize="medium")
        figure.colorbar(picture, ax=axis, shrink=0.8)
    files = [Path(folder) / "relatedness.png", Path(folder) / "gradient_cosine.png"]
    with naming(files[0]):
        figure.savefig(files[0], dpi=100)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axis = figure.subplots()
    steps = [record["step"] for record in result.history]
    cosines = np.array([record["cosine"] for record in result.history], float)
    for row, one in enumerate(result.heads):
        for column in range(row + 1, len(result.heads)):
            axis.plot(steps, cosines[:, row, column], marker=".", label=f"{one} - {result.heads[column]}")
    axis.axhline(0.0, color="black", linewidth=0.5)
    axis.set_xlabel("step")
    axis.set_ylabel("cosine of gradients")
    axis.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    with naming(files[1]):
        figure.savefig(files[1], dpi=100)
    return files
