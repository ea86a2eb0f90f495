"""Who speaks when, as a model without a network hears it: a voice is a level of the sound."""

import numpy as np
import pytest

from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.speakers.find_turns import find_turns
from speechzoo.decoding.speakers.turn import Turn, words_of_turns

RATE = 1000
QUIET, ANNA, BERT, CARL = 0.0, 0.2, 0.5, 0.8
VOICES = {ANNA: [1.0, 0.0, 0.0], BERT: [0.0, 1.0, 0.0], CARL: [0.1, 0.9, 0.42]}


class Model(Recognizer):
    """The voice is that of the level that is heard most; frames of 0.1 s are speech where there is any level."""

    def __init__(self, speech=True):
        self.spec = {"name": "levels", "sample_rate": RATE, "heads": {
            "speaker": {"type": "speaker", "label": "speaker", "embedding_size": 3},
            **({"speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"],
                           "frame_seconds": 0.1}} if speech else {})}}
        self.longest = 0

    def batch_outputs(self, audios, heads=None):
        self.longest = max(self.longest, *map(len, audios))
        return [self.answer(np.round(audio, 1)) for audio in audios]

    def answer(self, audio):
        levels, counts = np.unique(audio[audio > 0], return_counts=True)
        voice = VOICES[round(float(levels[counts.argmax()]), 1)] if len(levels) else [0.0, 0.0, 1.0]
        frames = audio[:len(audio) // 100 * 100].reshape(-1, 100).mean(axis=1) > 0.05
        return {"speaker": np.array(voice) / np.linalg.norm(voice), "speech": 9 * np.eye(2)[frames.astype(int)]}


def recording(*parts):
    return np.concatenate([np.full(round(seconds * RATE), level, np.float32) for level, seconds in parts])


TALK = recording((QUIET, 1), (ANNA, 5), (QUIET, 0.3), (ANNA, 2), (QUIET, 1), (BERT, 4), (ANNA, 6), (QUIET, 2))


def test_turns_of_two_people_without_the_pauses():
    turns = find_turns(Model(), TALK)
    assert [turn.speaker for turn in turns] == ["speaker 1", "speaker 2", "speaker 1"]
    expected = [(1.0, 8.3), (9.3, 13.3), (13.3, 19.3)]  # a pause of 0.3 s ends no turn
    np.testing.assert_allclose([(turn.start, turn.end) for turn in turns], expected, atol=0.55)
    assert find_turns(Model(), TALK, start=9.0, duration=4.0)[0].start == pytest.approx(0.3, abs=0.11)
    assert find_turns(Model(), recording((QUIET, 5))) == []


def test_enrolled_voices_have_names_and_others_numbers():
    def name_of(voice):
        return ("anna" if voice[0] > 0.9 else None), float(voice[0])

    turns = find_turns(Model(), TALK, name_of=name_of)
    assert [turn.speaker for turn in turns] == ["anna", "speaker 1", "anna"]


def test_alike_voices_are_one_and_so_is_who_hardly_speaks():
    talk = recording((BERT, 8), (QUIET, 1), (CARL, 8), (QUIET, 1), (ANNA, 1.5))
    assert {turn.speaker for turn in find_turns(Model(), talk, same_voice=0.85)} == {"speaker 1"}
    apart = find_turns(Model(), talk, same_voice=0.95)
    assert [turn.speaker for turn in apart] == ["speaker 1", "speaker 2", "speaker 2"]  # Anna's voice is nearer to Carl's


def test_long_recordings_go_piece_by_piece():
    model = Model()
    turns = find_turns(model, np.concatenate([TALK] * 8))
    assert model.longest <= 30 * RATE and {turn.speaker for turn in turns} == {"speaker 1", "speaker 2"}
    assert turns[-1].end == pytest.approx(8 * 21.3 - 2, abs=0.1)
    assert all(before.end <= after.start + 1e-6 for before, after in zip(turns, turns[1:]))


def test_models_without_a_head_for_speech_or_speakers():
    assert find_turns(Model(speech=False), recording((ANNA, 5), (BERT, 5)))[0] == Turn(0.0, 5.0, "speaker 1")
    model = Model()
    del model.spec["heads"]["speaker"]
    with pytest.raises(ValueError, match="'levels' has no speaker head; it has: speech"):
        find_turns(model, TALK)


def test_words_belong_to_the_turn_that_they_are_nearest_to():
    turns = [Turn(0.0, 2.0, "anna"), Turn(3.0, 4.0, "bert"), Turn(4.0, 6.0, "anna")]
    words = [Word(text, at, at + 0.2, 0.9) for text, at in (("a", 0.5), ("b", 2.2), ("c", 2.7), ("d", 4.1), ("e", 9.0))]
    runs = [(turn.speaker, [word.text for word in said]) for turn, said in words_of_turns(words, turns)]
    assert runs == [("anna", ["a", "b"]), ("bert", ["c"]), ("anna", ["d", "e"])]
    assert words_of_turns(words, []) == [(None, words)] and words_of_turns([], turns) == []
