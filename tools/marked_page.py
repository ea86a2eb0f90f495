"""Pages that are partly written by hand and partly by a benchmark."""

from pathlib import Path


def write_between(page: Path, begin: str, end: str, lines: list[str]):
    """Writes lines between the two marks of a page, and leaves the rest of it as it is.

    Raises:
        ValueError: The page doesn't have the marks.
    """
    text = page.read_text(encoding="utf-8")
    before, marked, after = text.partition(begin)
    _, ended, after = after.partition(end)
    if not marked or not ended:
        raise ValueError(f"{page}: the marks '{begin}' and '{end}' are not in it")
    written = "\n".join(lines).strip("\n")
    page.write_text(f"{before}{begin}\n\n{written}\n\n{end}{after}", encoding="utf-8")


def marked_part(page: Path, begin: str, end: str) -> str:
    """What stands between the two marks of a page, with the marks; these alone where the page doesn't have them."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    _, marked, after = text.partition(begin)
    inside, ended, _ = after.partition(end)
    return f"{begin}{inside}{end}" if marked and ended else f"{begin}\n{end}"
