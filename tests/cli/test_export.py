"""`speechzoo export`."""

import pytest

from speechzoo.cli import main
from speechzoo.edge.artifact import read_artifact
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav


def run(*arguments):
    with pytest.raises(SystemExit) as exit_code:
        main(["export", *(str(argument) for argument in arguments)])
    return exit_code.value.code


@pytest.fixture
def zoo(monkeypatch):
    """The zoo with one model, the tiny one."""
    from tests.tiny_models import tiny_model

    def open_model(source):
        if source != "tiny":
            raise ValueError(f"no model '{source}' in the zoo")
        return tiny_model()
    monkeypatch.setattr("speechzoo.opening.open_model", open_model)


def test_tflite_with_ones_own_recordings(zoo, tmp_path, capsys):
    write_wav(tmp_path / "a.wav", tone(0.5, seed=1))
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav"}\n')
    code = run("tiny", "--format", "tflite", "--quantize", "int16x8", "--heads", "keyword,speaker",
               "--representative", tmp_path / "m.jsonl", "--out", tmp_path / "out")
    shown, error = capsys.readouterr()
    assert code == 0, error
    assert "probability lost" in shown and "cosine distance" in shown and "tiny_int16x8.tflite" in shown
    artifact = read_artifact(tmp_path / "out" / "tiny_int16x8.tflite")
    assert list(artifact.spec["heads"]) == ["keyword", "speaker"] and artifact.parity[0]["utterances"] == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (["tinny", "--out", "x"], "no model 'tinny'"),
    (["tiny", "--quantize", "int8", "--out", "x"], "option 'quantize' is for format 'tflite', not for 'saved_model'"),
    (["tiny", "--format", "tflite", "--heads", "mood", "--out", "x"], "no head 'mood'"),
    (["tiny", "--format", "tflite", "--representative", "none.jsonl", "--out", "x"], "none.jsonl"),
])
def test_mistakes_are_one_line(zoo, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not list(tmp_path.rglob("*.tflite"))


def test_a_file_that_was_exported_already(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    assert run("x.tflite", "--format", "tflite", "--out", tmp_path) == 2
    assert "an exported file already" in capsys.readouterr().err
