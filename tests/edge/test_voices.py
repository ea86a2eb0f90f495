"""Voices are known again, kept whole, and never mixed up between models."""

import errno
import os

import numpy as np
import pytest

from speechzoo.audio import AudioError
from speechzoo.cli import main
from speechzoo.decoding.recognition import Recognition
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.edge.learnt import Learnt
from speechzoo.edge.learnt_file import LearntFileError, probe_sound, write_learnt
from speechzoo.edge.voices import Voices
from tests.fake_model import FakeModel
from tests.helpers import encoded, tone, write_wav


class PitchModel(Recognizer):
    """Its embedding is the angle of a tone's pitch: 2 kHz are a right angle from silence."""

    def __init__(self, turned=0.0):
        self.turned = turned
        self.spec = {"name": f"pitch{turned:g}", "sample_rate": 16000, "heads": {
            "keyword": {"type": "classifier", "label": "keyword", "classes": ["a", "b"]},
            "voice": {"type": "speaker", "label": "speaker", "embedding_size": 2}}}

    def batch_outputs(self, audios, heads=None):
        assert heads == ["voice"]
        return [{"voice": self.embedding(audio)} for audio in audios]

    def embedding(self, samples):
        pitch = np.abs(np.fft.rfft(samples)).argmax() / len(samples) * 16000
        angle = pitch / 2000 * np.pi / 2 + self.turned
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def enrolled():
    voices = Voices(PitchModel())
    voices.enroll("anna", [tone(0.5, hertz) for hertz in (180, 200, 220)])
    voices.enroll("ben", [tone(0.5, 1500)])
    return voices


def test_nobody_is_known_where_nobody_speaks():
    model = FakeModel(silent=[0])  # what peaks at 0.2
    voices = Voices(model)
    with pytest.raises(ValueError, match="^'anna': nobody speaks in recording 2; record a sentence$"):
        voices.enroll("anna", [2.5 * tone(0.5), 0.6 * tone(0.5)])
    voices.enroll("anna", [2.5 * tone(0.5)])
    assert voices.identify(2.5 * tone(0.5))[0] == "anna" and voices.verify("anna", 2.5 * tone(0.5))[1]
    assert voices.identify(0.6 * tone(0.5)) == (None, 0.0) and voices.verify("anna", 0.6 * tone(0.5)) == (0.0, False)


def test_enrolled_voices_are_known_and_strangers_are_not():
    voices = enrolled()
    assert voices.names == ["anna", "ben"]
    name, score = voices.identify(tone(0.5, 300))
    assert name == "anna" and score == pytest.approx(np.cos(100 / 2000 * np.pi / 2), abs=1e-3)
    assert voices.identify(tone(0.5, 1400))[0] == "ben"
    assert voices.identify(tone(0.5, 4000)) == (None, pytest.approx(np.cos(2500 / 2000 * np.pi / 2), abs=1e-3))
    assert voices.verify("anna", tone(0.5, 250))[1] and not voices.verify("ben", tone(0.5, 250))[1]
    voices.forget("anna")
    assert voices.names == ["ben"] and voices.identify(tone(0.5, 300))[0] is None
    voices.forget("ben")
    assert voices.identify(tone(0.5, 300)) == (None, 0.0)


def test_a_saved_file_gives_the_same_answers(tmp_path):
    voices, again = enrolled(), Voices(PitchModel())
    voices.save(tmp_path / "voices.npz")
    again.load(tmp_path / "voices.npz")
    assert again.names == voices.names and again.identify(tone(0.5, 300)) == voices.identify(tone(0.5, 300))
    assert (tmp_path / "voices.npz").stat().st_size < 3000
    for name in voices.names:
        voices.forget(name)
    voices.save(tmp_path / "voices.npz")
    again.load(tmp_path / "voices.npz")
    assert again.names == []


def test_wrong_input_says_so(tmp_path):
    voices = enrolled()
    for call, message in (
            (lambda: voices.enroll("anna", []), "'anna': give a list of 1 to 10 recordings, got 0"),
            (lambda: voices.enroll("anna", "a.wav"), "recordings, got str"),
            (lambda: voices.enroll(" ", [tone()]), "a name is text"),
            (lambda: voices.enroll("anna", [tone(), np.zeros(8000, np.float32)]), "'anna': recording 2 is silent"),
            (lambda: voices.enroll("anna", [np.full(8000, np.nan, np.float32)]), "not a finite number"),
            (lambda: voices.enroll("anna", [tone()], sample_rate=0), "sample rate 0 is not a whole number"),
            (lambda: voices.verify("carl", tone()), "nobody called 'carl' is enrolled; enrolled are: anna, ben"),
            (lambda: voices.forget("carl"), "nobody called 'carl'")):
        with pytest.raises(ValueError, match=message):
            call()
    assert voices.identify(tone(0.5, 200))[0] == "anna"  # a failed enrolment leaves what was there
    assert voices.identify(tone(0.5, 300, sample_rate=44100), 44100)[0] == "anna"
    assert voices.identify(encoded(tone(0.5, 300, sample_rate=8000), sample_rate=8000))[0] == "anna"
    mute = PitchModel()
    mute.spec["heads"].pop("voice")
    with pytest.raises(ValueError, match="has no speaker head; it has: keyword"):
        Voices(mute)


def test_files_of_others_are_refused_in_one_line(tmp_path):
    path = tmp_path / "voices.npz"
    enrolled().save(path)
    whole = path.read_bytes()
    with pytest.raises(LearntFileError, match=r"learnt with another model \('pitch0'\)"):
        Voices(PitchModel(turned=1.0)).load(path)
    Voices(PitchModel(turned=0.1)).load(path)  # as a quantized file of the same model
    for content in (b"", b"no archive", whole[:200], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(LearntFileError, match="no file of voices, or a damaged one") as caught:
            Voices(PitchModel()).load(path)
        assert "\n" not in str(caught.value)
    np.savez(path, other=1)
    with pytest.raises(LearntFileError, match="no file of voices"):
        Voices(PitchModel()).load(path)
    probe = PitchModel().recognize(probe_sound(16000), heads=["voice"]).speaker
    write_learnt(path, "words", "pitch0", probe, {})
    with pytest.raises(LearntFileError, match="holds words, not voices"):
        Voices(PitchModel()).load(path)
    write_learnt(path, "voices", "pitch0", probe, {"names": np.array(["anna"]), "voices": np.zeros((2, 2), np.float32)})
    with pytest.raises(LearntFileError, match=r"its 'voices' of shape \(2, 2\) don't fit"):
        Voices(PitchModel()).load(path)
    with pytest.raises(FileNotFoundError):
        Voices(PitchModel()).load(tmp_path / "none.npz")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_or_a_power_cut_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "voices.npz"
    voices = enrolled()
    voices.save(path)
    voices.forget("anna")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space left") as caught:
            voices.save(path)
    assert caught.value.filename == str(path) and os.listdir(tmp_path) == ["voices.npz"]
    again = Voices(PitchModel())
    again.load(path)
    assert again.names == ["anna", "ben"]


def test_the_command_enrolls_and_forgets(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: PitchModel())
    recordings = [str(write_wav(tmp_path / f"{hertz}.wav", tone(0.5, hertz))) for hertz in (190, 210)]
    path = str(tmp_path / "voices.npz")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["enroll", "model", *arguments])
        return ended.value.code, "".join(capsys.readouterr())

    assert run("anna", "--voices", path, *recordings) == (0, f"{path}: anna\n")
    assert run("ben", recordings[0], "--voices", path) == (0, f"{path}: anna, ben\n")
    assert run("anna", "--forget", "--voices", path) == (0, f"{path}: ben\n")
    code, said = run("anna", "--forget", "--voices", path)
    assert code == 2 and said == "speechzoo: error: nobody called 'anna' is enrolled; enrolled are: ben\n"
    assert "--forget takes no recordings" in run("ben", "--forget", recordings[0], "--voices", path)[1]
    assert "give a list of 1 to 10 recordings" in run("carl", "--voices", path)[1]


def test_a_long_recording_is_named(tmp_path):
    path = write_wav(tmp_path / "long.wav", tone(121.0, sample_rate=2000), 2000)
    with pytest.raises(AudioError, match="long.wav: 121.0 s, longer than 120 s"):
        Voices(PitchModel()).enroll("anna", [path])


def test_two_minutes_of_a_longer_recording_say_who_speaks(monkeypatch):
    voices, heard = enrolled(), []
    monkeypatch.setattr(voices, "identify", lambda audio: heard.append(len(audio)) or ("anna", 0.9))
    result = Recognition()
    Learnt(voices).complete(result, np.zeros(16000 * 130, np.float32))
    assert heard == [16000 * 120] and result.labels["voice"] == "anna"
