import json

import numpy as np
import pytest

from speechzoo.cli import main
from speechzoo.listening.stream_listener import StreamListener
from tests.decoding.fake_stream import FakeStreamModel

MODEL = FakeStreamModel()
AUDIO = np.concatenate([MODEL.silence(1), MODEL.audio("stop"), MODEL.silence(1.5), MODEL.audio("hey"),
                        MODEL.keyword(0.6), MODEL.audio("go on"), MODEL.silence(2), MODEL.audio("stop"),
                        MODEL.silence(2)])


def hear(listener, piece):
    events = [event for start in range(0, len(AUDIO), piece) for event in listener.feed(AUDIO[start:start + piece])]
    return events + list(listener.finish())


@pytest.mark.parametrize("piece", [1, 5, 1000])
def test_every_utterance_or_what_follows_the_wake_word(piece):
    everything = hear(StreamListener(MODEL), piece)
    assert [event.recognition.transcript for event in everything] == ["stop", "heygo on", "stop"]
    wake, command = hear(StreamListener(MODEL, wake_word="yes", threshold=0.9), piece)
    assert (wake.kind, wake.recognition.keyword) == ("wake_word", "yes")
    assert (command.kind, command.recognition.transcript) == ("utterance", "go on")


@pytest.mark.parametrize("pause", [0.9, 2.0, 4.5])
def test_the_rest_of_the_wake_word_is_no_command(pause):
    """The word is known while its end is still to come, and its rest is an utterance where a pause follows."""
    audio = np.concatenate([MODEL.silence(1), MODEL.audio("hey"), MODEL.keyword(0.4), MODEL.audio("er"), MODEL.silence(pause),
                            MODEL.audio("go on"), MODEL.silence(2), MODEL.audio("stop"), MODEL.silence(2)])
    listener = StreamListener(MODEL, wake_word="yes", threshold=0.9, partials=True)
    events = [*listener.feed(audio), *listener.finish()]
    assert [event.kind for event in events][0] == "wake_word"
    assert [event.recognition.transcript for event in events if event.kind == "utterance"] == ["go on"]
    assert all(event.recognition.transcript.startswith("g") for event in events[1:])


def test_partials_when_asked_for():
    events = hear(StreamListener(MODEL, partials=True), 4)
    assert {event.kind for event in events} == {"partial", "utterance"}
    awake = hear(StreamListener(MODEL, wake_word="yes", threshold=0.9, partials=True), 4)
    assert [event.kind for event in awake][0] == "wake_word" and awake[-1].kind == "utterance"
    assert "stop" not in [event.recognition.transcript for event in awake]


def test_an_unknown_wake_word():
    with pytest.raises(ValueError, match="doesn't know the wake word 'maybe'; it knows: yes, _unknown_"):
        StreamListener(MODEL, wake_word="maybe")


def test_the_command_streams_with_a_model_that_can(monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: MODEL)
    monkeypatch.setattr("speechzoo.cli.listen._blocks", lambda source, rate, device: np.array_split(AUDIO, 9))
    with pytest.raises(SystemExit) as ended:
        main(["listen", "fake", "file.wav", "--partial"])
    assert not ended.value.code
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["transcript"] for line in lines if line["kind"] == "utterance"] == ["stop", "heygo on", "stop"]
    assert {"stable", "words", "start", "end"} <= set(lines[0])


def test_what_was_measured_for_the_word_wakes():
    """The fake model is sure of "yes" by 9 nats of three classes, and hears it in one step of the two that are averaged."""
    def woken(listener):
        return [event.kind for event in hear(listener, 100)].count("wake_word")

    model = FakeStreamModel()
    head = {**model.spec["heads"]["keyword"], "wake_thresholds": {"yes": 0.9995}}
    model.spec = {**model.spec, "heads": {**model.spec["heads"], "keyword": head}}
    listener = StreamListener(model, wake_word="yes")
    assert listener.thresholds == {"yes": 0.9995} and woken(listener) == 1
    head["wake_thresholds"] = {"yes": 0.99999}
    assert woken(StreamListener(model, wake_word="yes")) == 0
    assert woken(StreamListener(model, wake_word="yes", threshold=0.5)) == 1
    head["wake_thresholds"] = {"yes": None}
    with pytest.raises(ValueError, match="'yes' is not offered for waking"):
        StreamListener(model, wake_word="yes")
    assert not any(event.kind == "keyword" for event in model.stream().feed(AUDIO))
    assert woken(StreamListener(model, wake_word="yes", threshold=0.5)) == 1
