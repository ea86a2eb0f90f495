"""Figures as data: `docs/figures/<name>.csv`, one file per measurement.

A file begins with lines of comments that say where its rows come from, `# key: value`: the command, the commit that was
checked out, the date and the machine; `source` where the figures were taken out of a page that was written before there
were such files. Behind them is plain CSV with a line of names. Shares are fractions, not per cent; an empty cell is a
figure that nobody measured.
"""

import argparse
import csv
import datetime
import io
import platform
import re
import subprocess
import sys
from pathlib import Path

from speechzoo.data.workers import available_cores

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "figures"
ORIGIN = ("command", "commit", "date", "machine", "source")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


def write_figures(path: Path, rows: list[dict], origin: dict[str, str] | None = None):
    """Writes rows and where they come from.

    Args:
        path: The CSV file.
        rows: Column -> figure; all have the same columns. Floats are rounded to six digits, None is left empty.
        origin: `command`, `commit`, `date`, `machine`, `source`; by default those of this process.

    Raises:
        ValueError: There are no rows, or one has other columns than the first.
    """
    if not rows:
        raise ValueError(f"{path}: no figures to write")
    text = io.StringIO()
    for key, value in (origin or this_run()).items():
        text.write(f"# {key}: {value}\n")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(f"{path}: columns {list(row)} in a row, {list(rows[0])} in the first")
        writer.writerow({name: _text(value) for name, value in row.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")


def read_figures(path: Path) -> list[dict]:
    """The rows of a file: column -> int, float, text, or None where the cell is empty.

    Raises:
        ValueError: The file has no line of names, or a row with more or fewer cells.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))
    if not rows:
        raise ValueError(f"{path}: no line of names; write it with tools.figures.write_figures")
    names, *rows = rows
    for row in rows:
        if len(row) != len(names):
            raise ValueError(f"{path}: {len(row)} cells in {','.join(row)!r}, {len(names)} names")
    return [dict(zip(names, map(_value, row))) for row in rows]


def kept_rows(path: Path, rows: list[dict], *columns: str) -> list[dict]:
    """The rows of a file, if it is there, that differ from all of `rows` in one of the columns: what isn't measured anew.
    """
    def about(row):
        return tuple(row[column] for column in columns)

    measured = set(map(about, rows))
    return [row for row in read_figures(path) if about(row) not in measured] if path.is_file() else []


def read_origin(path: Path) -> dict[str, str]:
    """Where the rows of a file come from: the keys of `write_figures`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))


def this_run() -> dict[str, str]:
    """Command, commit, date and machine of this process."""
    module = getattr(sys.modules["__main__"].__spec__, "name", None)
    command = ["python", "-m", module] if module else ["python", Path(sys.argv[0]).name]
    return {"command": " ".join(command + [_argument(text) for text in sys.argv[1:]]), "commit": commit_of(ROOT),
            "date": datetime.date.today().isoformat(), "machine": machine()}


def commit_of(repository: Path) -> str:
    """The commit that is checked out, `-dirty` behind it where files differ; "unknown" outside of Git."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude", "*"], cwd=repository,
                              capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """The processor and how many of its cores this process may use."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    cores = available_cores()
    return f"{found[1] if found else platform.machine()}, {cores} core{'s' if cores != 1 else ''}"


def add_figures_option(parser: argparse.ArgumentParser, name: str):
    """`--figures`: the file that a benchmark writes its figures to, `docs/figures/<name>.csv`."""
    parser.add_argument("--figures", type=Path, default=FOLDER / f"{name}.csv", metavar="CSV",
                        help=f"file for the figures (docs/figures/{name}.csv)")


def _argument(text: str) -> str:
    """An argument of the command; of an absolute path the last two parts, as the others are this machine's."""
    return "/".join(["...", *text.split("/")[-2:]]) if text.startswith("/") else text


def _text(value) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value(text: str):
    if not _NUMBER.fullmatch(text):
        return text or None
    return float(text) if set(text) & {".", "e"} else int(text)
