"""What a device has learnt is heard in a stream."""

import numpy as np
import pytest

from speechzoo.edge.learnt import Learnt
from speechzoo.listening.listener import Listener
from tests.fake_model import FakeModel
from tests.listening.test_listener import STREAM, hear, silence, sound


class FakeVoices:
    """Knows the fake model's first voice."""

    def name_of(self, embedding):
        return ("anna", 0.9) if embedding[0] == 1 and embedding[1] > 0 else (None, -0.1)


class FakeWords:
    """Hears its word in what peaks at 0.6."""

    names, threshold, maximum_seconds, sample_rate = ["left"], 0.5, 5.0, 16000

    def scores(self, audio):
        return {"left": 0.8 if abs(np.abs(audio).max() - 0.6) < 0.01 else 0.1}

    def recognize(self, audio):
        score = self.scores(audio)["left"]
        return ("left" if score > self.threshold else None), score


def test_voices_and_words_of_utterances():
    events = hear(Listener(FakeModel(), learnt=Learnt(FakeVoices(), FakeWords())), STREAM)
    assert [event.recognition.labels["voice"] for event in events] == ["anna", "_unknown_", "_unknown_", "anna"]
    assert [event.recognition.confidence["voice"] for event in events] == [0.9, 0.0, 0.0, 0.9]
    assert [event.recognition.keyword for event in events] == ["no", "yes", "left", "no"]
    assert events[2].recognition.confidence["keyword"] == 0.8


def test_a_learnt_word_wakes():
    learnt = Learnt(words=FakeWords())
    stream = np.concatenate([silence(1), sound(1, 0.6), silence(1.2), sound(2, 0.6), silence(1.2), sound(1), silence(1)])
    events = hear(Listener(FakeModel(), wake_word="left", learnt=learnt), stream)
    assert [event.kind for event in events] == ["wake_word", "utterance"]
    assert events[0].recognition.keyword == "left" and 2.8 < events[0].end < 3.6
    assert events[1].recognition.transcript == "stop"
    assert not hear(Listener(FakeModel(), wake_word="left", threshold=0.9, learnt=learnt), stream)
    with pytest.raises(ValueError, match="doesn't know the wake word 'right'"):
        Listener(FakeModel(), wake_word="right", learnt=learnt)
