"""tools/figures.py: what is written is read again, with where it comes from."""

import datetime

import pytest

from tools.figures import FOLDER, ROOT, read_figures, read_origin, this_run, write_figures

ROWS = [{"model": "a, b", "n": 12, "value": 0.1234567, "low": None}, {"model": "1e5x", "n": 0, "value": 1.0, "low": -0.5}]


def test_figures_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "sub" / "tiny.csv"
    write_figures(path, ROWS, {"command": "python: x", "commit": "abc"})
    assert read_figures(path) == [{"model": "a, b", "n": 12, "value": 0.123457, "low": None},
                                  {"model": "1e5x", "n": 0, "value": 1, "low": -0.5}]
    assert read_origin(path) == {"command": "python: x", "commit": "abc"}


def test_a_run_says_what_it_is(tmp_path, monkeypatch):
    path = tmp_path / "tiny.csv"
    write_figures(path, ROWS)
    origin = read_origin(path)
    assert origin == this_run() and list(origin) == ["command", "commit", "date", "machine"]
    monkeypatch.setattr("sys.argv", ["x.py", "--data", "/home/me/prepared/c/manifest.jsonl:dev", "--seed", "1"])
    assert this_run()["command"].endswith(" --data .../c/manifest.jsonl:dev --seed 1")
    assert origin["date"] == datetime.date.today().isoformat() and "core" in origin["machine"]


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "tiny.csv"
    with pytest.raises(ValueError, match="no figures to write"):
        write_figures(path, [])
    with pytest.raises(ValueError, match=r"columns \['b'\] in a row, \['a'\] in the first"):
        write_figures(path, [{"a": 1}, {"b": 1}])
    path.write_text("# date: today\n")
    with pytest.raises(ValueError, match="no line of names"):
        read_figures(path)
    path.write_text("a,b\n1\n")
    with pytest.raises(ValueError, match="1 cells in '1', 2 names"):
        read_figures(path)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.stem)
def test_every_file_says_where_it_comes_from(path):
    assert read_figures(path)
    assert set(read_origin(path)) >= {"command", "commit", "date", "machine"}


@pytest.mark.parametrize("script", sorted(path for path in (ROOT / "benchmarks").glob("*/*.py")
                                          if '__name__ == "__main__"' in path.read_text("utf-8")),
                         ids=lambda path: path.stem)
def test_every_benchmark_writes_figures_of_its_name(script):
    text = script.read_text(encoding="utf-8")
    assert f'add_figures_option(parser, "{script.stem}")' in text or '"--figures"' in text
    assert "write_figures(" in text or "write_all(" in text
