"""`speechzoo enhance` with a model that lets half through, and without one."""

import numpy as np
import pytest
import soundfile

from speechzoo.cli import main
from tests.helpers import tone, write_wav


class Half:
    """Every gain is one half; 16-sample hops."""

    spec = {"name": "half", "sample_rate": 16000, "heads": {"enhancement": {
        "type": "enhancement", "label": "enhancement", "bands": 3, "hop_length": 16, "subsampling": 1}}}

    def batch_outputs(self, audios, heads=None):
        return [{"enhancement": np.full((len(audio) // 16, 3), 0.5, np.float32)} for audio in audios]


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: Half())


def cli(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_a_folder_of_recordings(tmp_path, capsys):
    """docs/enhancement.md: one file per recording, at the same place below --out, as long as it was."""
    write_wav(tmp_path / "in" / "a.wav", tone(0.2))
    write_wav(tmp_path / "in" / "deep" / "b.wav", tone(0.1, 440, 8000), 8000)
    assert cli("enhance", "half", tmp_path / "in", "--out", tmp_path / "out") == 0
    paths = [tmp_path / "out" / "a.wav.flac", tmp_path / "out" / "deep" / "b.wav.flac"]
    assert capsys.readouterr().out.split() == [str(path) for path in paths]
    audio, rate = soundfile.read(paths[0])
    assert rate == 16000
    np.testing.assert_allclose(audio, tone(0.2) / 2, atol=1e-4)
    assert len(soundfile.read(paths[1])[0]) == 1600


def test_what_is_played_goes_first_and_the_limit_counts(tmp_path):
    played = np.random.default_rng(0).uniform(-0.3, 0.3, 32000).astype(np.float32)
    path, reference = write_wav(tmp_path / "echo.wav", np.roll(played, 40) / 2), write_wav(tmp_path / "played.wav", played)
    assert cli("enhance", "none", path, "--playback", reference, "--out", tmp_path) == 0
    left = soundfile.read(tmp_path / "echo.wav.flac")[0]
    assert np.abs(left[24000:]).mean() < 0.05 * np.abs(played).mean()
    quiet = write_wav(tmp_path / "tone.wav", tone(0.2))
    assert cli("enhance", "half", quiet, "--limit", 0, "--out", tmp_path) == 0
    np.testing.assert_allclose(soundfile.read(tmp_path / "tone.wav.flac")[0], tone(0.2), atol=1e-4)


def test_what_can_not_be_done(tmp_path, capsys):
    (tmp_path / "text.wav").write_text("no audio")
    good = write_wav(tmp_path / "good.wav", tone(0.1))
    assert cli("enhance", "half", tmp_path / "text.wav", good, "--out", tmp_path / "out") == 2
    captured = capsys.readouterr()
    assert "text.wav" in captured.err and captured.err.count("\n") == 1 and "good.wav.flac" in captured.out
    for arguments, message in ((["none", good], "name a model, or what was played"), (["half"], "nothing to enhance")):
        assert cli("enhance", *arguments, "--out", tmp_path) == 2
        assert message in capsys.readouterr().err
