"""Labels that a model gives: which are kept, at what confidence, and how they stand in a manifest."""

import json

import numpy as np
import pytest

from speechzoo import cli
from speechzoo.adaptation import pseudo_label
from speechzoo.adaptation.pseudo_labels import Threshold, choose_threshold
from speechzoo.config import ConfigError
from speechzoo.data.manifest import read_manifest, write_manifest
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import write_wav

SECONDS = 0.3


class Doubtful(FakeModel):
    """As sure as the pitch: what it says of keywords has the confidence in which a recording was made."""

    def answer(self, audio):
        outputs = super().answer(audio)
        length = len(audio) / 16000  # longer recordings are surer
        outputs["keyword"] = np.where(outputs["keyword"] > 0, 10 * (length - SECONDS), 0.0)
        return outputs


def record(folder, name, number, seconds=SECONDS):
    """A recording that the fake model takes for its number `number`."""
    write_wav(folder / f"{name}.wav", np.full(round(16000 * seconds), 0.2 * (number + 1), np.float32))
    return {"id": name, "audio": f"{name}.wav", "speaker": "anna"}


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "kitchen"
    folder.mkdir()
    utterances = [record(folder, "up", 0), record(folder, "stop", 1), {**record(folder, "known", 2), "transcript": "no"}]
    (folder / "broken.wav").write_bytes(b"nothing")
    write_manifest(folder / "manifest.jsonl", [*utterances, {"id": "broken", "audio": "broken.wav"}])
    return folder


def test_thresholds_by_hand():
    sure, wrong, ones = [0.9, 0.5, 0.8, 0.5, 0.7], [0, 1, 0, 0, 1], [1] * 5
    assert choose_threshold(sure, wrong, ones, 0.4, least=1) == Threshold(0.5, 0.4, 1.0)
    assert choose_threshold(sure, wrong, ones, 0.35, least=1) == Threshold(0.7, pytest.approx(1 / 3), 0.6)
    assert choose_threshold(sure, wrong, ones, 0.0, least=2) == Threshold(0.8, 0.0, 0.4)
    assert choose_threshold(sure, wrong, ones, 0.0, least=3) is None
    # Long texts weigh more than short ones: 3 errors in 12 words.
    assert choose_threshold([0.9, 0.8], [3, 0], [4, 8], 0.25, least=1) == Threshold(0.8, 0.25, 1.0)
    assert choose_threshold([], [], [], 0.5) is None


def test_answers_become_labels_and_labels_stay(recordings):
    report = pseudo_label(FakeModel(), recordings, recordings / "heard.jsonl", confidence=0.5)
    assert report.recordings == 4 and report.skipped[0].startswith("broken: ")
    assert report.thresholds["transcript"] == Threshold(0.5)
    up, stop, known, broken = read_manifest(report.manifest)
    assert up["transcript"] == TEXTS[0] and up["phones"] == "G OW AH P" and up["audio"] == "up.wav"
    assert up["speaker"] == "anna"  # a label that was there, and a vector would be none
    assert set(stop["pseudo_labels"]) == {"transcript", "phones", "keyword", "event", "slots"} and stop["slots"] == {"size": "small"}
    assert known["transcript"] == "no" and "transcript" not in known["pseudo_labels"]
    assert broken == {"id": "broken", "audio": "broken.wav"}
    assert report.labelled["transcript"] == 2 and report.labelled["keyword"] == 3
    again = pseudo_label(FakeModel(), recordings / "heard.jsonl", recordings / "again.jsonl")
    assert read_manifest(again.manifest) == read_manifest(report.manifest) and set(again.labelled.values()) == {0}


def test_phones_of_the_transcript(recordings, tmp_path):
    lexicon = {"stop": [["S", "T", "AA", "P"]]}
    report = pseudo_label(FakeModel(), recordings, tmp_path / "out" / "heard.jsonl", ["transcript", "phones"], 0.5,
                          lexicon=lexicon)
    up, stop, _, _ = read_manifest(report.manifest)
    assert "phones" not in up and stop["phones"] == "S T AA P" and report.labelled["phones"] == 1
    assert stop["audio"] == str(recordings / "stop.wav")  # elsewhere paths are absolute


def test_a_folder_and_a_confidence(tmp_path):
    for name, seconds in (("sure", 0.8), ("unsure", 0.35)):
        record(tmp_path, name, 0, seconds)
    pseudo_label(Doubtful(), tmp_path, tmp_path / "heard.jsonl", ["keyword"], 0.9)
    found = {line["id"].rpartition("/")[2]: line for line in read_manifest(tmp_path / "heard.jsonl")}
    assert found["sure.wav"]["keyword"] == "yes" and "keyword" not in found["unsure.wav"]


def test_the_threshold_is_that_of_labelled_recordings(tmp_path):
    """Of 24 recordings the surest 12 are right; below, every second one is wrong."""
    lines = []
    for number in range(24):
        right = number >= 12 or number % 2
        lines.append({**record(tmp_path, f"d{number}", 0, 0.4 + 0.02 * number), "keyword": "yes" if right else "no"})
    lines.append({**record(tmp_path, "other", 0), "keyword": "lights"})  # taken for `_unknown_`, and heard as yes
    write_manifest(tmp_path / "dev.jsonl", lines)
    report = pseudo_label(Doubtful(), [str(tmp_path / "d5.wav")], tmp_path / "heard.jsonl", ["keyword"],
                          dev=tmp_path / "dev.jsonl", error=0.0)
    probability = 1 / (1 + 2 * np.exp(-10 * (0.4 + 0.02 * 11 - SECONDS)))
    assert report.thresholds["keyword"] == Threshold(pytest.approx(probability, abs=1e-4), 0.0, 13 / 25)
    assert report.labelled == {"keyword": 0}  # d5 is less sure
    loose = pseudo_label(Doubtful(), [str(tmp_path / "d5.wav")], tmp_path / "heard.jsonl", ["keyword"],
                         dev=tmp_path / "dev.jsonl", error=0.3)
    assert loose.thresholds["keyword"].share == 1.0 and loose.labelled == {"keyword": 1}
    write_manifest(tmp_path / "few.jsonl", lines[-3:])
    few = pseudo_label(Doubtful(), [str(tmp_path / "d5.wav")], tmp_path / "heard.jsonl", ["keyword"],
                       dev=tmp_path / "few.jsonl")
    assert few.thresholds == {"keyword": None} and few.labelled == {"keyword": 0}


def test_errors_of_texts_are_counted_per_word(tmp_path):
    lines = [{**record(tmp_path, f"r{number}", number % 4), "transcript": "go up please" if number % 4 == 0 else TEXTS[number % 4]}
             for number in range(12)]
    write_manifest(tmp_path / "dev.jsonl", lines)
    report = pseudo_label(FakeModel(), [str(tmp_path / "r1.wav")], tmp_path / "heard.jsonl", ["transcript"],
                          dev=tmp_path / "dev.jsonl", error=0.2)
    assert report.thresholds["transcript"].error == pytest.approx(3 / 24) and report.labelled == {"transcript": 1}


@pytest.mark.parametrize("options, message", [
    ({"heads": ["speaker"]}, "head 'speaker' is of type 'speaker', whose answers are no labels"),
    ({"heads": ["speech"]}, "head 'speech' is of type 'frame_classifier', whose answers are no labels"),
    ({"confidence": 2}, "confidence 2 must be between 0 and 1"), ({"error": -1}, "error -1 must be between 0 and 1"),
])
def test_what_is_refused(recordings, options, message):
    with pytest.raises(ConfigError, match=message):
        pseudo_label(FakeModel(), recordings, recordings / "heard.jsonl", **options)
    assert not (recordings / "heard.jsonl").exists()


def test_labelled_recordings_without_the_label(recordings, tmp_path):
    record(tmp_path, "plain", 0)
    with pytest.raises(ConfigError, match="to calibrate on have no label keyword that can be compared"):
        pseudo_label(FakeModel(), recordings, recordings / "heard.jsonl", ["keyword"], dev=[str(tmp_path / "plain.wav")])


def test_the_command(recordings, monkeypatch, capsys):
    """`speechzoo pseudo-label`, as docs/domains.md has it."""
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    with pytest.raises(SystemExit) as ended:
        cli.main(["pseudo-label", "any", "--data", str(recordings / "manifest.jsonl"), "--out", str(recordings / "o.jsonl"),
                  "--heads", "transcript", "--confidence", "0.5"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and "transcript: 2 labelled, from a confidence of 0.50 on" in printed
    assert "left as it was: broken: " in printed and "4 recordings" in printed
    with pytest.raises(SystemExit) as ended:
        cli.main(["pseudo-label", "any", "--data", "x", "--out", "y", "--lexicon", "cmudict"])
    assert ended.value.code == 2 and "add --phones or --dictation" in capsys.readouterr().err
    assert json.loads((recordings / "o.jsonl").read_text().splitlines()[0])["transcript"] == TEXTS[0]
