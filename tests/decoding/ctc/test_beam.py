import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.text.ngram import build_ngram
from speechzoo.text.reading import read_words

SPEC = {"type": "ctc", "label": "transcript", "units": list("ab "), "kind": "characters", "frame_seconds": 0.04}
PIECES = {**SPEC, "units": ["\u2581a", "\u2581b", "b"], "kind": "pieces"}


def random_logits(num_frames, seed, num_units=3, scale=2.0):
    return np.random.default_rng(seed).standard_normal((num_frames, num_units + 1)) * scale


def brute_force(logits, spec, score=lambda text: 0.0):
    """Unit sequence -> score, summing over every path; `score` is what the text adds, -inf where it is forbidden."""
    log_probs, totals = log_softmax(logits), {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        units = tuple(unit for unit, _ in itertools.groupby(path) if unit != 0)
        probability = math.exp(sum(log_probs[frame, unit] for frame, unit in enumerate(path)))
        totals[units] = totals.get(units, 0.0) + probability
    return {units: math.log(total) + score(as_text(units, spec)) for units, total in totals.items()}


def as_text(units, spec):
    return " ".join("".join(spec["units"][unit - 1] for unit in units).replace("\u2581", " ").split())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(0, 10_000), st.sampled_from([SPEC, PIECES]))
def test_a_wide_beam_sums_over_all_paths(num_frames, seed, spec):
    logits = random_logits(num_frames, seed)
    exact = brute_force(logits, spec)
    best = max(exact, key=exact.get)
    hypothesis = BeamSearch(10_000, unit_log_prob=-math.inf)(logits, spec)
    assert hypothesis.units == list(best)
    assert hypothesis.score == pytest.approx(exact[best])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([SPEC, PIECES]), st.booleans())
def test_language_model_bonus_and_word_list_are_exact(seed, spec, closed):
    logits = random_logits(5, seed)
    model = build_ngram(["a b", "ab a", "b", "a b ab"], order=2)
    allowed = {"ab", "b", "bb"}

    def score(text):
        if closed and not set(text.split()) <= allowed:
            return -math.inf
        return 0.7 * math.log(10) * model.sentence_log10(text) + 0.4 * len(text.split())

    exact = brute_force(logits, spec, score)
    best = max(exact, key=exact.get)
    search = BeamSearch(10_000, model, lm_weight=0.7, word_bonus=0.4, words=allowed if closed else None,
                        unit_log_prob=-math.inf)
    hypothesis = search(logits, spec)
    assert hypothesis.units == list(best) and hypothesis.score == pytest.approx(exact[best])


def test_a_language_model_turns_the_choice():
    # Greedy hears "b"; the model has only seen "a".
    logits = np.log([[0.02, 0.44, 0.52, 0.02]])
    assert greedy_decode(logits, SPEC).text == BeamSearch()(logits, SPEC).text == "b"
    assert BeamSearch(language_model=build_ngram(["a"] * 3, 1), lm_weight=1)(logits, SPEC).text == "a"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 30), st.integers(0, 1000), st.integers(1, 8))
def test_only_listed_words_come_out(num_frames, seed, beam_width):
    hypothesis = BeamSearch(beam_width, words=["ab", "ba bb"])(random_logits(num_frames, seed), SPEC)
    assert set(hypothesis.text.split()) <= {"ab", "ba", "bb"}
    assert [word.text for word in hypothesis.words] == hypothesis.text.split()


def test_times_are_those_of_greedy_where_it_is_sure():
    logits = 12 * np.eye(4)[[0, 1, 1, 3, 2, 0, 0]]
    assert BeamSearch()(logits, SPEC).words == greedy_decode(logits, SPEC).words


def test_padding_changes_nothing():
    logits = random_logits(12, 3)
    padding = np.full((9, 4), -1e9)
    padding[:, 0] = 0
    search = BeamSearch(8, build_ngram(["ab a", "b"], 2))
    alone, padded = search(logits, SPEC), search(np.concatenate([logits, padding]), SPEC)
    assert padded.text == alone.text and padded.words == alone.words
    assert padded.score == pytest.approx(alone.score)


def test_phones_need_no_words():
    spec = {**SPEC, "units": ["B", "EH", "R"], "kind": "phones"}
    assert BeamSearch()(9 * np.eye(4)[[1, 2, 0, 3]], spec).text == "B EH R"


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="beam_width is 1 or more"):
        BeamSearch(0)
    with pytest.raises(ValueError, match="word list is empty"):
        BeamSearch(words=[" "])
    (tmp_path / "words.txt").write_text("Go up\nstop\n")
    assert read_words(tmp_path / "words.txt") == ["go", "stop", "up"]
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="no words"):
        read_words(tmp_path / "empty.txt")


def test_word_lists_are_read_as_any_file_of_words(tmp_path):
    (tmp_path / "words.txt").write_bytes("\ufeffIt\u2019s up\n<unk> <s>\n".encode())
    assert read_words(tmp_path / "words.txt") == ["it's", "up"]
    (tmp_path / "words.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="words.txt:1: not UTF-8"):
        read_words(tmp_path / "words.txt")
