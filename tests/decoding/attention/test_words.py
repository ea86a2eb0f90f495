"""Words and segments from tokens."""

import numpy as np
import pytest

from speechzoo.decoding.attention.special_tokens import SpecialTokens
from speechzoo.decoding.attention.words import make_segments, make_words, word_groups
from speechzoo.text.units import Bytes, units_of
from tests.decoding.attention.scripted import SPECIAL

UNITS = [*SPECIAL, "\u0120Go", "\u0120to", "\u0120caf", "\u00c3", "\u00a9", ",", "\u0120", "no", "w", "!", "<|0.20|>",
         "<|1.50|>"]
SPEC = {"type": "seq2seq", "kind": "bytes", "units": UNITS, "start": [0], "end": 1, "frame_seconds": 0.1}


def words_of(names, lengths, language=None):
    """Each token looks at frames of its own, the end at the last."""
    tokens = [UNITS.index(name) for name in names]
    attention = np.repeat(np.eye(len(names)), lengths, axis=1) + 0.01
    log_probs = np.log(np.linspace(0.9, 0.5, len(names)))
    return make_words(tokens, log_probs, attention / attention.sum(axis=1, keepdims=True), SPEC, SpecialTokens.of(SPEC),
                      language), log_probs


def test_words_last_until_the_next_begins_and_signs_do_not_count():
    names = ["\u0120Go", "\u0120caf", "\u00c3", "\u00a9", ",", "\u0120", "no", "w", "!", "<|endoftext|>"]
    words, log_probs = words_of(names, [5, 4, 3, 2, 6, 3, 4, 5, 4, 2])
    assert [word.text for word in words] == ["Go", "caf\u00e9,", "now!"]
    times = [(word.start, word.end) for word in words]
    np.testing.assert_allclose(times, [(0, 0.5), (0.5, 1.4), (2.0, 3.2)], atol=0.11)
    assert [word.confidence for word in words] == [pytest.approx(np.exp(log_probs[part].mean()))
                                                   for part in (slice(1), slice(1, 5), slice(5, 9))]


def test_a_text_without_an_end_lasts_as_long_as_the_frames():
    words, _ = words_of(["\u0120Go", "\u0120to"], [4, 6])
    assert words[-1].end == 1.0
    assert words_of(["<|endoftext|>"], [3])[0] == []


def test_languages_without_spaces():
    names = ["\u0120caf", "\u00c3", "\u00a9", "no"]
    assert word_groups(names, Bytes(UNITS)) == [[0, 1, 2, 3]]
    assert word_groups(names, Bytes(UNITS), spaced=False) == [[0], [1, 2], [3]]
    words, _ = words_of([*names, "<|endoftext|>"], [3, 3, 3, 3, 3], "ja")
    assert [word.text for word in words] == ["caf", "\u00e9", "no"]


def test_segments():
    names = ["<|0.20|>", "\u0120Go", "\u0120to", "<|1.50|>", "<|1.50|>", "\u0120caf", "<|endoftext|>"]
    tokens = [UNITS.index(name) for name in names]
    segments = make_segments(tokens, np.log([1, 0.5, 0.5, 1, 1, 0.25, 1]), SpecialTokens.of(SPEC), units_of(SPEC))
    assert [(each.text, each.start, each.end) for each in segments] == [("Go to", 0.2, 1.5), ("caf", 1.5, 1.5)]
    assert segments[0].confidence == pytest.approx(0.5)
