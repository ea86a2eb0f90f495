"""Tables in Markdown, the one way in which benchmarks and pages write them."""

import string


def table(columns: list[str], rows: list[list[str]], left: int = 1) -> list[str]:
    """Lines of a table.

    Args:
        columns: Headings.
        rows: Cells.
        left: Columns that are aligned to the left, from the first; the others hold numbers.
    """
    rules = ["---" if number < left else "---:" for number in range(len(columns))]
    return [f"| {' | '.join(map(str, cells))} |" for cells in (columns, rules, *rows)]


def table_of(rows: list[dict], columns: dict[str, str], left: int = 1) -> list[str]:
    """Lines of a table with a line per row.

    Args:
        rows: Column of the figures -> figure.
        columns: Heading -> template of its cells, such as `{missed:.1%} of {recordings}`; a cell is empty where a
            figure of its template is None.
        left: As of `table`.
    """
    return table(list(columns), [[fill(template, row) for template in columns.values()] for row in rows], left)


def fill(template: str, row: dict) -> str:
    """A template with a row's figures; empty where one of them is None."""
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    return "" if any(row[name] is None for name in names) else _Formatter().format(template, **row)


def percent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A share in per cent, with the ends of its interval where there is one."""
    if value is None:
        return ""
    interval = "" if low is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f} %{interval}"


class _Formatter(string.Formatter):
    """`{:.1%}` gives `12.3 %`, with the space that the pages have."""

    def format_field(self, value, spec):
        text = super().format_field(value, spec)
        return f"{text[:-1]} %" if spec.endswith("%") else text
