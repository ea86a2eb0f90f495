"""What a terminal gets: any encoding, any file name, nothing that can't be seen."""

import io
import json
import sys
from pathlib import Path

import pytest

from speechzoo.cli import main
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    for module in ("speechzoo.opening", "speechzoo.evaluation"):
        monkeypatch.setattr(f"{module}.open_model", lambda source: FakeModel())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def audio(name):
    return write_wav(Path(name), 0.6 * tone(0.5) / tone(0.5).max())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_no_encoding_breaks_off(monkeypatch, encoding):
    names = ["f\u00fcr.wav", "\u0434\u0432\u0430 \U0001f3a4.wav", "z.wav"]
    for name in names:
        audio(name)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert run("recognize", "fake", *names, "no\u2192.wav", "--json") == 2
    for stream in streams:
        stream.flush()
    printed, said = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    assert [json.loads(line)["audio"] for line in printed.splitlines()] == names
    assert said.count("\n") == 1 and ("no\u2192.wav" in said or "no\\u2192.wav" in said)


@pytest.mark.parametrize("arguments", [
    ("recognize", "fake", "--", "-a.wav", "--heads"), ("recognize", "fake", "--json", "--", "-a.wav", "--heads"),
    ("recognize", "fake", "b.wav", "--heads", "keyword", "--", "-a.wav", "--heads"),
    ("recognize", "--", "fake", "-a.wav", "--heads"),
])
def test_names_that_begin_with_a_dash(capsys, arguments):
    for name in ("-a.wav", "b.wav", "--heads"):
        write_wav(Path("x.wav"), 0.6 * tone(0.5) / tone(0.5).max()).rename(name)
    assert run(*arguments) == 0
    out = capsys.readouterr().out
    assert "-a.wav" in out and "--heads" in out and ("b.wav" in out) == ("b.wav" in arguments)


def test_names_behind_a_dash_of_other_commands(capsys):
    Path("-words.txt").write_text("go up\n")
    assert run("ngram", "--order", "2", "--out", "lm.arpa", "--", "-words.txt") == 0
    assert run("grammar", "--", "-missing.yaml") == 2
    assert "-missing.yaml" in capsys.readouterr().err


def test_what_can_not_be_seen_is_shown(capsys):
    assert run("recognize", "fake", "a\u200b.wav", "b\xa0c.wav", "d\x1b[31m.wav") == 2
    err = capsys.readouterr().err
    assert "a\\u200b.wav: no such file" in err and "b\\xa0c.wav" in err and "d\\x1b[31m.wav" in err
    assert run("prepare", "folder\u200b", "--source", ".", "--out", "out") == 2
    assert "unknown corpus 'folder\\u200b'; did you mean 'folder'" in capsys.readouterr().err
    assert run("recognize", "fake", "good.wav", "--heads\u200b") == 2
    assert "unrecognized arguments: --heads\\u200b" in capsys.readouterr().err


def test_prepare_lists_the_corpora(capsys):
    assert run("prepare", "?") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("librispeech ") and len(line.split()) > 3 for line in lines)
    assert lines[-1].startswith("tfds:NAME")
    assert run("prepare", "folder", "--out", "out") == 2
    assert "prepare folder needs --source; see" in capsys.readouterr().err


def test_a_device_without_pyyaml_is_told_what_to_do(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("speechzoo.grammar")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yaml", None)
    audio("a.wav")
    Path("home.yaml").write_text("x")
    assert run("recognize", "fake", "a.wav", "--grammar", "home.yaml") == 2
    err = capsys.readouterr().err
    assert "home.yaml: to read a grammar takes PyYAML: pip install PyYAML. Or compile it" in err
    assert "speechzoo grammar home.yaml --model MODEL --out NAME.npz" in err
    assert run("grammar", "home.yaml") == 2
    assert "this needs the package PyYAML, which is not installed: pip install PyYAML" in capsys.readouterr().err
