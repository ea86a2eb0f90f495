"""Recordings of any length: where they are cut, and how the answers of the pieces become one."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from speechzoo.decoding.ctc.segments import Segment
from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.pieces import Piece, cut_at_pauses, join_pieces, move
from speechzoo.decoding.recognition import Recognition
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import tone, write_wav

RATE = 16000


def talk(seconds, pauses, seed=1):
    """Noise with silence of 0.4 s around each of the pauses."""
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)
    for pause in pauses:
        samples[round((pause - 0.2) * RATE):round((pause + 0.2) * RATE)] *= 1e-3
    return samples


@pytest.mark.parametrize("block", [400, 16000, 10 ** 9])
def test_cuts_are_in_the_pauses_whatever_the_blocks(block):
    samples = talk(70, [3, 17, 28.5, 41, 50, 66])
    blocks = (samples[first:first + block] for first in range(0, len(samples), block))
    pieces = list(cut_at_pauses(blocks, RATE))
    starts = [first / RATE for first, _ in pieces]
    # Of two pauses alike, either will do; 3 s is too early for a cut, and 66 s of 70 leaves one piece of 29 s at most.
    assert starts[0] == 0 and min(abs(starts[1] - pause) for pause in (17, 28.5)) < 0.2
    assert min(abs(starts[2] - pause) for pause in (41, 50)) < 0.2
    assert all(15 <= len(piece) / RATE <= 30 for _, piece in pieces[:-1])
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in pieces]), samples)


def test_silence_is_cut_late_and_short_recordings_are_not():
    assert [len(piece) for _, piece in cut_at_pauses([np.zeros(31 * RATE, np.float32)], RATE)] == [
        pytest.approx(29.9 * RATE, abs=0.1 * RATE), pytest.approx(1.1 * RATE, abs=0.1 * RATE)]
    assert [len(piece) for _, piece in cut_at_pauses([talk(30, [])], RATE)] == [30 * RATE]
    assert list(cut_at_pauses([], RATE)) == []


def words(*texts):
    return [Word(text, float(place), place + 0.5, 0.9) for place, text in enumerate(texts)]


def test_answers_are_joined_by_what_they_are():
    first = Recognition(
        transcript="go up", words=words("go", "up"), keyword="up", gender="female", speaker=np.array([1, 0], np.float32),
        speech=[Segment(0.2, 10.0, 0.9)], intent="lightsOn", slots={"room": "hall"}, sentence="go up",
        labels={"speed": 2.0, "mood": "calm", "music": [Segment(1.0, 2.0, 0.8)]},
        confidence={"keyword": 0.6, "gender": 0.6, "intent": 0.7, "slots": 0.7, "speech": 0.9, "mood": 0.9, "transcript": 0.5})
    second = Recognition(
        transcript="stop", words=words("stop"), keyword="_unknown_", gender="male", speaker=np.array([0, 1], np.float32),
        speech=[Segment(0.0, 1.0, 0.7)], intent="none", slots={}, labels={"speed": 4.0, "mood": "angry", "music": []},
        confidence={"keyword": 0.9, "gender": 0.9, "intent": 0.99, "slots": 0.9, "speech": 0.8, "mood": 0.8, "transcript": 0.8},
        unanswered=["age_group"])
    joined = join_pieces([Piece(0, 10, first), Piece(10, 40, move(second, 10.0))])
    assert joined.transcript == "go up stop" and joined.confidence["transcript"] == pytest.approx((0.5 * 10 + 0.8 * 30) / 40)
    assert [(word.text, word.start) for word in joined.words] == [("go", 0), ("up", 1), ("stop", 10)]
    assert (joined.keyword, joined.gender) == ("_unknown_", "male")  # 0.9 x 30 s against 0.6 x 10 s
    np.testing.assert_allclose(joined.speaker, np.array([10, 30]) / np.hypot(10, 30), rtol=1e-6)
    assert joined.speech == [Segment(0.2, 11.0, pytest.approx((0.9 * 9.8 + 0.7) / 10.8))]
    assert (joined.intent, joined.slots, joined.sentence) == ("lightsOn", {"room": "hall"}, "go up")
    assert joined.confidence["intent"] == 0.7
    assert joined.labels == {"speed": pytest.approx(3.5), "mood": "angry", "music": [Segment(1.0, 2.0, 0.8)]}
    assert joined.unanswered == ["age_group"]


def test_a_piece_without_an_answer_leaves_it_to_the_others():
    silent = Recognition(transcript="", unanswered=["gender"])
    joined = join_pieces([Piece(0, 30, silent), Piece(30, 31, Recognition(transcript="yes", gender="male", confidence={"gender": 0.8}))])
    assert joined.transcript == "yes" and joined.gender == "male" and joined.unanswered == []


def test_recordings_that_are_too_long_at_once_are_heard_in_pieces(tmp_path):
    """Peaks of 0.4 and 0.8 are "stop" and "yes" to the model."""
    model = FakeModel()
    quiet, loud = (level * tone(20.0) / np.abs(tone(20.0)).max() for level in (0.4, 0.8))
    quiet[-8000:] = loud[:8000] = 0
    write_wav(tmp_path / "long.wav", np.concatenate([quiet, loud]))
    result = model.recognize(tmp_path / "long.wav", maximum_seconds=35)
    assert result.transcript == f"{TEXTS[1]} {TEXTS[3]}" and model.calls == 2
    assert [word.start >= 19 for word in result.words] == [False, True]
    assert model.recognize(tmp_path / "long.wav", maximum_seconds=40).transcript == TEXTS[3]  # at once
    assert model.recognize(tmp_path / "long.wav", maximum_seconds=None).transcript == TEXTS[3]
    first, second = model.recognize_batch([tmp_path / "long.wav", tmp_path / "long.wav"], start=20.0, maximum_seconds=19)
    assert first.transcript == second.transcript and first.words[0].start < 1  # times of the part that is heard
    pieces = list(model.recognize_pieces(tmp_path / "long.wav", start=5.0, longest=20.0))
    assert [piece.recognition.transcript for piece in pieces] == [TEXTS[1], TEXTS[3]]
    assert pieces[0].start == 5.0 and pieces[1].start == pieces[0].end and pieces[1].end == 40.0
    assert pieces[1].recognition.words[0].start >= pieces[1].start > 19


@pytest.mark.slow
def test_an_hour_takes_the_memory_of_a_piece(tmp_path):
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", RATE, 1) as file:
        for number in range(60):
            file.write(talk(60, [10, 25, 40, 55], seed=number))
    model = FakeModel()
    tracemalloc.start()
    try:
        model.recognize(tmp_path / "hour.flac")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 120 <= model.calls <= 240 and peak < 40e6  # a piece has 1.9 MB, the hour 230
