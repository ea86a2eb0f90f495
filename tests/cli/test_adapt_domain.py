"""`speechzoo adapt-domain`: a folder of recordings in, a model that loads out; and `recognize --test-time-adaptation`."""

import pytest

from speechzoo import cli, load, save
from speechzoo.weights import model_values
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made = build(tiny(frontend={"type": "log_mel", "hop_seconds": 0.03, "window_seconds": 0.03}, heads=("letters",)))
    save(made, folder / "base")
    for number in range(2):
        write_wav(folder / f"{number}.wav", tone(0.5, 300 + 200 * number, seed=number))
    return folder


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments])
    return ended.value.code


def changed(model, name):
    one, other = (model_values(load(model / folder)) for folder in ("base", name))
    return {path for path in one if (one[path] != other[path]).any()}


def test_statistics(model, capsys):
    assert command("adapt-domain", str(model / "base"), "--data", str(model / "0.wav"), str(model / "1.wav"), "--method",
                   "statistics", "--prior-seconds", "3", "--out", str(model / "statistics")) == 0
    assert "layers from 1 s, 75% of their weight from before" in capsys.readouterr().out
    assert all("moving_" in path or path.startswith("frontend/") for path in changed(model, "statistics"))
    assert changed(model, "statistics")


def test_entropy(model, capsys):
    assert command("adapt-domain", str(model / "base"), "--data", str(model / "0.wav"), "--method", "entropy",
                   "--learning-rate", "1e-3", "--weights", "backbone/norm_1/*", "--out", str(model / "entropy")) == 0
    assert "letters: unsureness " in capsys.readouterr().out
    assert changed(model, "entropy") == {"backbone/norm_1/gamma", "backbone/norm_1/beta"}


def test_an_option_of_the_other_method(capsys):
    assert command("adapt-domain", "x", "--data", "y", "--method", "entropy", "--prior-seconds", "3", "--out", "z") == 2
    assert "--prior-seconds is for --method statistics" in capsys.readouterr().err


def test_recognize_adapts_to_each_recording(model, capsys):
    audio = str(model / "0.wav")
    assert command("recognize", str(model / "base"), audio, "--test-time-adaptation", "--adaptation-rate", "1e-3") == 0
    assert "transcript" in capsys.readouterr().out
    assert command("recognize", str(model / "base"), audio, "--adaptation-rate", "1e-3") == 2
    assert "--adaptation-rate is for --test-time-adaptation" in capsys.readouterr().err
