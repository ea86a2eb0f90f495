"""Detectors of speech, measured step by step."""

import numpy as np
import pytest

from benchmarks.quality import speech
from tests.helpers import tone
from tools.tables.plain import plain

LABELS = [["speech", 0.5], ["none", 1.0]], [["none", 0.5], ["speech", 1.0]]


def loudness(audio):
    """A detector that is right in quiet: mean square of 20 ms."""
    return np.square(audio).reshape(-1, 320).mean(axis=1), 0.02


@pytest.fixture
def sentences():
    """Sentences of a second, between silences: a tone is in the first half of half of them, and in the second of others."""
    first = np.arange(speech.RATE) < 8000
    audios = [tone(1.0, 200.0 + 100 * number) * (~first if number % 2 else first) for number in range(6)]
    return [(str(number), *speech.sentence(audio.astype(np.float32), LABELS[number % 2]))
            for number, audio in enumerate(audios)]


def test_steps_are_labelled_where_the_sentence_is(sentences):
    _, audio, truth = sentences[0]
    assert len(audio) == 3 * speech.RATE and len(truth) == 300
    assert truth[100:150].all() and truth.sum() == 50


def test_loudness_is_right_in_quiet_and_babble_fools_it(sentences, monkeypatch):
    monkeypatch.setattr(speech, "SNRS", (10.0, -10.0))
    noise = np.random.default_rng(1).normal(size=2 * speech.RATE).astype(np.float32)
    heard = speech.conditions_of(sentences, [noise])
    assert list(heard) == ["quiet", "noise, 10 dB", "babble, 10 dB", "noise, -10 dB", "babble, -10 dB"]
    areas = {condition: speech.area_under_roc(*speech.measure(loudness, recordings))
             for condition, recordings in heard.items()}
    assert areas["quiet"] == areas["noise, 10 dB"] == areas["babble, 10 dB"] == 1.0
    assert 0.5 < areas["noise, -10 dB"] < 1.0 and areas["babble, -10 dB"] < 0.9


def test_the_rule_of_the_listener_rises_with_speech(sentences):
    scores, seconds = speech.energy(sentences[0][1])
    steps = speech.at_steps(scores, seconds, 300)
    assert steps[105:145].min() > 30 > 9 > steps[160:].max()


def test_labels_come_from_alignments_too():
    part = speech.Part("some", None, [{"alignment": [["SIL", 0.2], ["AA", 0.5]]}, {"speech": "none"}, {}])
    assert [label for _, label in speech.labelled(part, 9)] == [[["none", 0.2], ["speech", 0.5]]]


def test_its_rows_fit_their_table():
    row = {"condition": "quiet", "detector": "some", "hours": 0.5, "auc": 0.987, "missed": 0.1}
    assert plain("speech", [row])[2] == "| quiet | some | 0.50 | 98.7 % | 10.0 % |"
