"""Each metric against an independent implementation or an example worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import isotonic_regression

from speechzoo.metrics.bootstrap import bootstrap_interval
from speechzoo.metrics.calibration import expected_calibration_error, find_threshold
from speechzoo.metrics.classification import (accuracy, class_counts, confusion_matrix, f1_per_class, macro_f1,
                                              slot_counts, slot_f1, weak_classes)
from speechzoo.metrics.error_rate import edit_counts, error_rate, word_error_rate


def levenshtein(reference, hypothesis):
    row = list(range(len(hypothesis) + 1))
    for i, left in enumerate(reference, 1):
        previous, row = row, [i]
        for j, right in enumerate(hypothesis, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (left != right)))
    return row[-1]


TEXTS = st.lists(st.sampled_from("abc"), max_size=7).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_edit_counts_equal_levenshtein(pairs):
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    words = [[levenshtein(r.split(), h.split()), len(r.split())] for r, h in pairs]
    assert edit_counts(references, hypotheses).tolist() == words
    characters = [[levenshtein(r, h), len(r)] for r, h in pairs]
    assert edit_counts(references, hypotheses, "character").tolist() == characters


def test_error_rates_worked():
    # One deletion of "on", one substitution of "light", in 4 + 2 words.
    assert word_error_rate(["turn on the light", "go up"], ["turn the lights", "go up"]) == pytest.approx(2 / 6)
    assert word_error_rate([""], ["what is that"]) == 3
    assert word_error_rate([""], [""]) == 0
    with pytest.raises(ValueError, match="1 references but 0"):
        word_error_rate(["a"], [])


def test_weak_classes_by_hand():
    references = np.array(6 * [0] + 4 * [1] + 8 * [2] + 5 * [3])
    answers = np.array([0, 0, 0, 1, 1, 1] + 4 * [0] + 3 * [2] + 5 * [0] + 5 * [3])
    # Half of class 0 is right, none of the four of class 1, three of the eight of class 2, and there is none of class 4.
    assert weak_classes(references, answers, 5).tolist() == [False, True, True, False, False]


def test_classification_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(2)
    for _ in range(5):
        references, predictions = generator.integers(0, 6, 80), generator.integers(1, 7, 80)
        counts = class_counts(references, predictions, 8).sum(axis=0)
        assert accuracy(references, predictions) == pytest.approx(metrics.accuracy_score(references, predictions))
        assert macro_f1(counts) == pytest.approx(metrics.f1_score(references, predictions, average="macro",
                                                                 zero_division=0))
        expected = metrics.f1_score(references, predictions, average=None, labels=range(7), zero_division=0)
        assert f1_per_class(counts)[:7] == pytest.approx(expected)
        assert np.isnan(f1_per_class(counts)[7])
        assert (confusion_matrix(references, predictions, 8)
                == metrics.confusion_matrix(references, predictions, labels=range(8))).all()


def test_slot_f1_worked():
    references = [{"size": "large", "milk": "oat"}, {"size": "small"}, {}]
    predictions = [{"size": "large", "milk": "soy"}, {"size": "small"}, {"size": "small"}]
    counts = slot_counts(references, predictions)
    assert counts.tolist() == [[1, 2, 2, 0], [1, 1, 1, 1], [0, 0, 1, 0]]
    precision, recall = 2 / 4, 2 / 3
    assert slot_f1(counts.sum(axis=0)) == pytest.approx(2 * precision * recall / (precision + recall))
    assert slot_f1(np.zeros(4)) == 1


def test_calibration_error_worked():
    # Bins of a tenth: (0.9, 1.0] holds two at 0.95, one right: gap 0.45; (0.5, 0.6] one at 0.6, right: gap 0.4.
    assert expected_calibration_error([0.95, 0.95, 0.6], [1, 0, 1], num_bins=10) == pytest.approx(
        2 / 3 * 0.45 + 1 / 3 * 0.4)
    assert expected_calibration_error([1.0, 0.0], [1, 0]) == 0
    assert expected_calibration_error([], []) == 0


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_threshold_is_where_scipys_isotonic_regression_reaches_the_share(correct):
    confidences = np.linspace(0.5, 0.99, len(correct))
    fit = isotonic_regression(np.array(correct, float)).x
    given = np.flatnonzero(fit >= 2 / 3 - 1e-9)
    expected = 1.0 if not len(given) else 0.0 if given[0] == 0 else confidences[given[0]]
    order = np.random.default_rng(1).permutation(len(correct))  # they come in any order
    assert find_threshold(confidences[order], np.array(correct)[order]) == expected


def test_bootstrap_of_a_mean_has_its_known_width():
    values = np.random.default_rng(3).normal(5, 2, 400)
    counts = np.stack([values, np.ones(400)], axis=1)
    low, high = bootstrap_interval(lambda sums: sums[:, 0] / sums[:, 1], counts, range(400), samples=4000)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == (pytest.approx(values.mean() - half, abs=0.03), pytest.approx(values.mean() + half, abs=0.03))


def test_bootstrap_resamples_speakers_not_utterances():
    # Every utterance 20 times: the same 10 speakers say no more than before.
    counts = np.random.default_rng(4).integers(0, 5, (10, 2)) + 1
    once = bootstrap_interval(error_rate, counts, range(10))
    often = bootstrap_interval(error_rate, np.repeat(counts, 20, axis=0), np.repeat(range(10), 20))
    assert often == pytest.approx(once)
    assert once == bootstrap_interval(error_rate, counts, range(10), seed=1)
    assert once != bootstrap_interval(error_rate, counts, range(10), seed=2)
    assert bootstrap_interval(error_rate, counts, ["one"] * 10) is None
