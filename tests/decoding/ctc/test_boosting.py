import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.ctc.boosting import PhraseBoost
from tests.decoding.ctc.test_beam import PIECES, SPEC, brute_force, random_logits

PHRASES = ["a b", "b", "ab", "a b a"]


def count(text, phrases=PHRASES):
    """How often phrases stand in a text, by hand."""
    words = text.split()
    return sum(words[start:start + len(phrase.split())] == phrase.split()
               for phrase in phrases for start in range(len(words)))


@given(st.text("ab ", max_size=14), st.floats(-3, 3))
def test_the_whole_text_has_a_bonus_for_each_phrase_in_it(text, bonus):
    text = " ".join(text.split())
    boost = PhraseBoost(PHRASES, bonus)
    state, total = boost.step(boost.start, text)
    assert total + boost.finish(state) == pytest.approx(bonus * count(text), abs=1e-9)
    state, parts = boost.start, 0.0
    for letter in text:  # in parts as at once
        state, gain = boost.step(state, letter)
        parts += gain
    assert parts == pytest.approx(total, abs=1e-9)


def test_a_phrase_under_way_has_its_share():
    boost = PhraseBoost(["play hey jude", "play help"], 13.0)
    shares, state, total = [], boost.start, 0.0
    for letter in "play hey jude":
        state, gain = boost.step(state, letter)
        total += gain
        shares.append(total)
    assert shares == sorted(shares) and shares[0] == pytest.approx(13 / 14)
    assert shares[-1] == pytest.approx(13 * 13 / 14)
    assert total + boost.finish(state) == pytest.approx(13)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([SPEC, PIECES]), st.sampled_from([1.5, -1.0]))
def test_the_beam_search_with_phrases_is_exact(seed, spec, bonus):
    logits = random_logits(5, seed)
    exact = brute_force(logits, spec, lambda text: bonus * count(text))
    best = max(exact, key=exact.get)
    hypothesis = BeamSearch(10_000, unit_log_prob=-math.inf, boost=PhraseBoost(PHRASES, bonus))(logits, spec)
    assert hypothesis.score == pytest.approx(exact[best])
    assert hypothesis.score == pytest.approx(exact[tuple(hypothesis.units)])


def test_a_name_that_sounds_alike_is_written_as_it_is_known():
    logits = np.log([[0.02, 0.42, 0.54, 0.02], [0.96, 0.01, 0.01, 0.02]])
    assert BeamSearch()(logits, SPEC).text == "b"
    assert BeamSearch(boost=PhraseBoost(["a"], 1.0))(logits, SPEC).text == "a"


@pytest.mark.parametrize("phrases", [[], [" ", ""]])
def test_no_phrases_are_an_error(phrases):
    with pytest.raises(ValueError, match="no phrases to boost"):
        PhraseBoost(phrases)
