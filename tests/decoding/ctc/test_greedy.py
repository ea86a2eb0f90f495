import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from speechzoo.decoding.ctc.greedy import greedy_decode

CHARACTERS = {"type": "ctc", "label": "transcript", "units": list("abc' "), "kind": "characters", "frame_seconds": 0.04}
PIECES = {"type": "ctc", "label": "transcript", "units": ["\u2581", "\u2581go", "up", "s"], "kind": "pieces",
          "frame_seconds": 0.08}
PHONES = {"type": "ctc", "label": "phones", "units": ["B", "EH", "R"], "kind": "phones", "frame_seconds": 0.04}


def path_logits(path, num_units, sharpness=8.0):
    return sharpness * np.eye(num_units + 1)[list(path)]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_collapses_any_path_as_ctc_defines_it(path):
    hypothesis = greedy_decode(path_logits(path, 5).reshape(len(path), 6), CHARACTERS)
    collapsed = [unit for unit, _ in itertools.groupby(path) if unit != 0]
    assert hypothesis.units == collapsed
    assert hypothesis.text == " ".join("".join(CHARACTERS["units"][unit - 1] for unit in collapsed).split())
    assert hypothesis.text == " ".join(word.text for word in hypothesis.words)
    assert all(0 <= word.confidence <= 1 and word.start < word.end <= len(path) * 0.04 + 1e-9
               for word in hypothesis.words)


def test_words_have_the_times_of_their_frames():
    #                            a  a  -  b  ' '  c  -  c
    words = greedy_decode(path_logits([1, 1, 0, 2, 5, 3, 0, 3], 5), CHARACTERS).words
    assert [(word.text, word.start, word.end) for word in words] == [("ab", 0.0, 0.16), ("cc", 0.2, 0.32)]


def test_pieces_and_phones():
    assert greedy_decode(path_logits([2, 0, 4, 1, 3, 2, 2], 4), PIECES).text == "gos up go"
    hypothesis = greedy_decode(path_logits([1, 2, 2, 0, 3], 3), PHONES)
    assert hypothesis.text == "B EH R"
    assert [word.start for word in hypothesis.words] == [0.0, 0.04, 0.16]


def test_word_confidence_is_the_geometric_mean_of_its_units():
    probabilities = np.array([[0.1, 0.9, 1e-6], [0.6, 1e-6, 0.4], [0.3, 1e-6, 0.7]])
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    hypothesis = greedy_decode(np.log(probabilities), {**PHONES, "units": ["a", "b"], "kind": "characters"})
    assert hypothesis.text == "ab"
    assert hypothesis.confidence == pytest.approx(np.sqrt(0.9 * 0.7), abs=1e-4)


def test_padding_changes_nothing():
    logits = np.random.default_rng(1).standard_normal((20, 6))
    padding = np.full((7, 6), -1e9)
    padding[:, 0] = 0
    padded, alone = greedy_decode(np.concatenate([logits, padding]), CHARACTERS), greedy_decode(logits, CHARACTERS)
    assert padded.score == pytest.approx(alone.score)  # sums of other lengths round otherwise
    assert replace(padded, score=alone.score) == alone


def test_silence_is_empty_text_with_the_blanks_confidence():
    hypothesis = greedy_decode(np.log([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1]]), {**PHONES, "units": ["B", "R"]})
    assert (hypothesis.text, hypothesis.words) == ("", [])
    assert hypothesis.confidence == pytest.approx(0.8)


@pytest.mark.parametrize("logits, message", [
    (np.zeros((4, 5)), r"shape \(4, 5\); expected \(frames, 6\)"),
    (np.full((4, 6), np.nan), "NaN or infinite"),
])
def test_unusable_logits(logits, message):
    with pytest.raises(ValueError, match=message):
        greedy_decode(logits, CHARACTERS)
