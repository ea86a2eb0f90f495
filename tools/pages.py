"""Writes the tables of the pages from the figures.

    python -m tools.pages

A page holds a table between `<!-- figures: NAME -->` and `<!-- end -->`; NAME is one of `TABLES`, and options of it may
stand behind, such as `<!-- figures: checkpoint model=mtl_ds_cnn_micro -->`. What is between the marks is written anew
from `docs/figures/*.csv` and the `metrics.json` of the checkpoints; the rest of the page is left as it is.
"""

import re
from collections.abc import Callable
from pathlib import Path

from tools.figures import FOLDER, ROOT
from tools.tables import checkpoint, compare, multitask, plain, published, quantization, results, zoo

# Name -> function of the folder of the figures and the options, which gives lines.
TABLES: dict[str, Callable[..., list[str]]] = {
    **plain.TABLES, **checkpoint.TABLES, **compare.TABLES, **multitask.TABLES, **published.TABLES,
    **quantization.TABLES, **results.TABLES, **zoo.TABLES}
MARKED = re.compile(r"<!-- figures: (?P<name>\w+)(?P<options>(?: \w+=\S+)*) -->\n.*?<!-- end -->", re.S)


def pages(root: Path = ROOT) -> list[Path]:
    """The pages that may hold tables."""
    return [root / "README.md", *sorted(root.glob("docs/*.md")), *sorted(root.glob("export/**/README.md")),
            *sorted(root.glob("speechzoo/checkpoints/*/*.md"))]


def render(text: str, folder: Path = FOLDER) -> str:
    """A page's text with its tables written anew.

    Args:
        text: Of the page.
        folder: Of the figures.

    Raises:
        ValueError: A mark names a table that there isn't, or has no end.
    """
    def written(match):
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"figures: {name}: no such table; there are {', '.join(sorted(TABLES))}")
        options = dict(option.split("=", 1) for option in match["options"].split())
        mark = match[0].split("\n", 1)[0]
        return "\n".join([mark, "", *TABLES[name](folder, **options), "", "<!-- end -->"])

    found = len(MARKED.findall(text))
    if found != text.count("<!-- figures: ") or found != text.count("<!-- end -->"):
        raise ValueError("a mark <!-- figures: NAME --> without its <!-- end -->, or the other way round")
    return MARKED.sub(written, text)


def main():
    """Writes the pages that change, and says which."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            new = render(text)
        except ValueError as error:
            raise SystemExit(f"{page}: {error}") from error
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
