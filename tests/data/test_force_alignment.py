"""Forced alignment against recordings whose silences are known."""

import numpy as np
import pytest

from speechzoo.audio import load_audio
from speechzoo.cli import main
from speechzoo.data.force_alignment import Aligner, align_manifest
from speechzoo.data.manifest import read_manifest, validate_manifest, write_manifest
from tests.helpers import write_wav

STOP = "examples/stop.flac"


@pytest.fixture(scope="module")
def stop():
    """A recording of "stop", without the silence around it."""
    audio = load_audio(STOP)
    loud = np.flatnonzero(np.abs(audio) > 0.02 * np.abs(audio).max())
    return audio[loud[0]:loud[-1] + 1]


def test_phones_lie_where_they_are_spoken(stop):
    silence = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 1e-4
    audio = np.concatenate([silence, stop, silence, stop, silence[:8000]])
    pairs = Aligner({}).align(audio, "Stop, stop!")
    assert [phone for phone, _ in pairs] == ["SIL", "S", "T", "AA", "P", "SIL", "S", "T", "AA", "P", "SIL"]
    ends = dict(zip(("silence", "first", "between", "second", "last"), (pairs[i][1] for i in (0, 4, 5, 9, 10))))
    seconds = len(stop) / 16000
    expected = {"silence": 1, "first": 1 + seconds, "between": 2 + seconds, "second": 2 + 2 * seconds,
                "last": 2.5 + 2 * seconds}
    assert ends == pytest.approx(expected, abs=0.15)
    assert pairs[-1][1] == len(audio) / 16000


def test_words_that_nobody_knows_or_said(stop):
    aligner = Aligner({"stopp": [["S", "T", "AA", "P"]]})
    assert [phone for phone, _ in aligner.align(stop, "stopp") if phone != "SIL"] == ["S", "T", "AA", "P"]
    with pytest.raises(ValueError, match="a word without a pronunciation"):
        aligner.align(stop, "xyzzyx")
    with pytest.raises(ValueError, match="no words"):
        aligner.align(stop, "")
    with pytest.raises(ValueError, match="audio that doesn't fit the words"):
        aligner.align(stop[:1600], "as we are glad to welcome his gospel on this festive day of the year")
    assert aligner.align(stop, "stop")[-1][1] == len(stop) / 16000  # and goes on


def test_a_manifest_gets_its_alignments(tmp_path, stop, capsys):
    write_wav(tmp_path / "stop.wav", stop)
    (tmp_path / "bad.wav").write_text("no audio")
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("stop S T AA P\n")
    known = [["SIL", 0.2], ["AA", 0.3]]
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, [
        {"audio": "stop.wav", "transcript": "stop", "id": "a"}, {"audio": "bad.wav", "transcript": "stop", "id": "b"},
        {"audio": "stop.wav", "id": "c"}, {"audio": "stop.wav", "transcript": "stop", "alignment": known, "id": "d"},
        {"audio": "stop.wav", "transcript": "halt", "language": "de", "id": "e"}])
    counts = align_manifest(manifest, lexicon)
    assert counts == {"aligned": 2, "audio that can't be read": 1, "without an English transcript": 2}
    found = {utterance["id"]: utterance.get("alignment") for utterance in read_manifest(manifest)}
    assert [phone for phone, _ in found["a"] if phone != "SIL"] == ["S", "T", "AA", "P"]
    assert found["d"] == known and not any(found[name] for name in "bce")
    assert not validate_manifest(manifest)
    with pytest.raises(SystemExit) as stopped:
        main(["align", str(manifest), "--lexicon", str(lexicon), "--workers", "1"])
    assert not stopped.value.code
    assert "manifest.jsonl: 2 aligned, 2 without an English transcript, 1 audio that can't be read" in capsys.readouterr().out
