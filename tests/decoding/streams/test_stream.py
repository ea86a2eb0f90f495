"""What a stream says of a model's steps; a fake model whose samples say what it hears."""

import numpy as np
import pytest

from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.decoding.streams.stream import Stream
from tests.decoding.attention.scripted import LETTERS, WHISPER, Reader, whisper_spec
from tests.decoding.fake_stream import FakeStreamModel


def stream(**options):
    return FakeStreamModel().stream(**options)


def feed(stream, audio, piece=7):
    events = [heard for start in range(0, len(audio), piece) for heard in stream.feed(audio[start:start + piece])]
    return events + stream.finish()


def test_partials_grow_and_their_stable_words_stay():
    model = FakeStreamModel()
    events = feed(model.stream(), model.audio("turn it  on"))
    partials = [event for event in events if event.kind == "partial"]
    texts = [event.recognition.transcript for event in partials]
    assert texts[0] == "t" and texts[-1] == "turn it on"
    utterance = events[-1]
    assert utterance.kind == "utterance" and utterance.recognition.transcript == "turn it on"
    for earlier, later in zip(partials, partials[1:]):
        assert later.recognition.transcript.startswith(earlier.recognition.transcript)
        assert later.stable.startswith(earlier.stable)
    assert all(utterance.recognition.transcript.startswith(event.stable) for event in partials)
    by_text = {event.recognition.transcript: event.stable for event in partials}
    assert by_text["tur"] == "" and by_text["turn i"] == "turn" and by_text["turn it on"] == "turn it"
    assert [word.text for word in utterance.recognition.words] == ["turn", "it", "on"]
    times = [word.start for word in utterance.recognition.words]
    assert times == sorted(times)


@pytest.mark.parametrize("piece", [1, 3, 8, 1000])
def test_the_split_changes_nothing(piece):
    model = FakeStreamModel()
    audio = np.concatenate([model.silence(3), model.audio("go"), model.silence(2), model.audio("stop"),
                            model.silence(0.3)])
    events = [event.to_dict() for event in feed(model.stream(), audio, piece)]
    assert events == [event.to_dict() for event in feed(model.stream(), audio, 5)]
    utterances = [event for event in events if event["kind"] == "utterance"]
    assert [event["transcript"] for event in utterances] == ["go", "stop"]
    # An utterance begins 0.4 s before its first unit and is over after 0.8 s of blanks, at the latest a step later.
    assert utterances[0]["start"] == pytest.approx(2.6, abs=0.21)
    assert utterances[0]["end"] == pytest.approx(4.0, abs=0.41)


def test_heads_of_utterances_begin_anew_with_each():
    """The fake counts the steps that its gender head has gathered."""
    model = FakeStreamModel()
    audio = np.concatenate([model.silence(9), model.audio("go"), model.silence(1.2), model.audio("up"),
                            model.silence(1.2)])
    heard = [event for event in feed(model.stream(), audio) if event.kind == "utterance"]
    gathered = [event.recognition.labels["gathered"] for event in heard]
    assert all(int(steps) <= round((event.end - event.start) / 0.2) + 2 for steps, event in zip(gathered, heard))
    assert int(gathered[0]) >= 4


def test_a_keyword_is_heard_once():
    model = FakeStreamModel()
    audio = np.concatenate([model.silence(1), model.keyword(0.8), model.silence(0.4), model.keyword(3.0),
                            model.silence(2), model.keyword(0.2), model.silence(2), model.keyword(0.8),
                            model.silence(1)])
    events = [event for event in feed(model.stream(threshold=0.9), audio) if event.kind == "keyword"]
    # The second begins within a second of the first; the third is the memory of a long one; then it has to fall first.
    assert [event.recognition.keyword for event in events] == ["yes"] * len(events)
    assert len(events) == 4
    assert all(later.end - earlier.end >= 1.0 for earlier, later in zip(events, events[1:]))
    assert not [event for event in feed(model.stream(threshold=0.9), model.silence(5)) if event.kind == "keyword"]


def test_endless_speech_is_cut_and_memory_is_bounded():
    model = FakeStreamModel()
    stream = model.stream()
    events, kept = [], []
    for _ in range(40):
        events += stream.feed(model.audio("go on"))
        kept.append(sum(map(len, stream._logits["letters"])))
    assert max(kept) <= 12.5 * 10 and [event.kind for event in events].count("utterance") >= 2
    stream = model.stream()
    for _ in range(20):
        stream.feed(model.silence(2))
    assert sum(map(len, stream._logits["letters"])) <= 6 and stream.seconds == pytest.approx(40)


def test_finish_says_what_was_under_way():
    model = FakeStreamModel()
    stream = model.stream()
    events = stream.feed(model.audio("go")[:-1])
    assert [event.kind for event in events if event.kind == "utterance"] == []
    assert [event.recognition.transcript for event in stream.finish() if event.kind == "utterance"] == ["go"]
    assert stream.finish() == []


def test_wrong_input():
    with pytest.raises(ValueError, match="threshold 0"):
        stream(threshold=0)
    with pytest.raises(ValueError, match="sample 20 of the stream is not a finite number"):
        stream().feed(np.r_[np.zeros(20), np.inf])
    with pytest.raises(ValueError, match="one channel"):
        stream().feed(np.zeros((4, 2)))


def test_a_stepper_completes_the_last_step_with_silence():
    stepper = Stepper(lambda samples, state: ({"sum": samples.sum(1)}, state), {}, 4)
    assert list(stepper.feed([1.0, 2.0])) == [] and stepper.pending.tolist() == [1.0, 2.0]
    assert [float(outputs["sum"]) for outputs in stepper.finish()] == [3.0]
    assert list(stepper.finish()) == []
    assert isinstance(stream(), Stream)


class FakeWriter(FakeStreamModel):
    """Says with a decoder what it has heard, beside the head that finds utterances."""

    # One letter more than the other head has, which would score the text, too.
    head = whisper_spec(frame_seconds=0.1, units=[*LETTERS, *WHISPER, "\u00e4"])
    spec = {**FakeStreamModel.spec, "heads": {**FakeStreamModel.spec["heads"], "written": head}}
    decode_steps = {"written": Reader(head)}

    def stream(self, **options):
        return Stream(self.stream_step, {"gathered": np.zeros((1, 1), np.float32)}, self.spec, **options)

    def stream_step(self, samples, state):
        outputs, state = super().stream_step(samples, state)
        letters = self.head["units"].index("x") * np.ones(2) + np.floor(samples[0])  # never a row of zeros
        return {**outputs, "written": np.stack([letters % 28, np.ones(2)], axis=-1)[None]}, state


def test_a_decoder_writes_whole_utterances():
    model = FakeWriter()
    audio = np.concatenate([model.audio("go"), model.silence(2)])
    events = feed(model.stream(decode_steps=model.decode_steps), audio)
    (utterance,) = [event for event in events if event.kind == "utterance"]
    frames = round((utterance.end - utterance.start) / 0.1)
    said = [(model.head["units"].index("x") + int(unit)) % 28 for unit in np.append(audio, np.zeros(20))[:frames]]
    assert utterance.recognition.labels["written"] == "".join(model.head["units"][token] for token in said).strip()
    assert all("written" not in event.recognition.labels for event in events if event.kind == "partial")
    with pytest.raises(ValueError, match="^head 'written' writes token by token, and nothing here runs these steps"):
        model.stream()
