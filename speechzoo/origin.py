"""Where weights come from: their licence, and what they were derived from, with the texts that must go with them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo.files import write_atomically

ORIGIN = "origin.json"
UNKNOWN_LICENCE = "NOASSERTION"
"""`UNKNOWN_LICENCE` is SPDX's word for a licence that is not known."""
# Of one entry of `derived_from`.
_KEYS = ("name", "licence", "copyright", "sha256", "licence_text")


@dataclass
class Origin:
    """What must be known of weights by whoever gets them, as `origin.json` beside the weights holds it.

    Attributes:
        licence: SPDX identifier of the weights' licence, such as `MIT`; empty where nobody has named one.
        derived_from: Published weights that these began from, one dict each: `name`, `licence` (SPDX identifier),
            `copyright` (the holder's line), `sha256` (of the file), `licence_text`. Empty for weights trained from
            random values.
    """

    licence: str = ""
    derived_from: list[dict] = field(default_factory=list)

    def summary(self) -> dict:
        """What tables and files show: `licence` and `derived_from` without the texts, as far as there is any."""
        sources = [{key: value for key, value in source.items() if key != "licence_text"}
                   for source in self.derived_from]
        return {key: value for key, value in (("licence", self.licence), ("derived_from", sources)) if value}

    def notices(self) -> str:
        """The licences' texts under the names of what they are for; empty for weights that derive from none."""
        return "\n".join(f"Derived from {source['name']} ({source['licence']})\n\n{source['licence_text']}"
                         for source in self.derived_from)


def read_origin(folder: str | Path) -> Origin:
    """The origin of the weights in a folder; an empty one where nothing is said of it.

    Raises:
        ValueError: `origin.json` is damaged.
    """
    path = Path(folder) / ORIGIN
    if not path.is_file():
        return Origin()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        sources = [{key: source[key] for key in _KEYS} for source in values["derived_from"]]
        texts = [values["licence"], *(value for source in sources for value in source.values())]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path}: damaged, no origin of weights; import or fetch the weights again") from None
    return Origin(values["licence"], sources)


def origin_folder(weights: str | Path) -> Path:
    """The folder whose `origin.json` speaks of a weights file: its own, of a run's evaluated weights the run's."""
    folder = Path(weights).parent
    return folder.parent if folder.name == "evaluated" else folder


def carry_origin(weights: str | Path | None, run: str | Path):
    """Gives a run that starts the origin of the weights that it starts from, or none.

    Args:
        weights: The weights file; None for random values.
        run: Folder of the run.

    Raises:
        ValueError: The origin is damaged, or the run's folder is that of imported or saved weights.
    """
    target = Path(run) / ORIGIN
    if (target.parent / "model.weights.h5").is_file():
        raise ValueError(f"{run}: holds imported or saved weights, which a run would mix with its own; choose another "
                         "folder")
    if weights is not None and read_origin(origin_folder(weights)).licence:
        source = origin_folder(weights) / ORIGIN
        if source.resolve() != target.resolve():
            write_atomically(target, source.read_bytes())
    else:
        target.unlink(missing_ok=True)
