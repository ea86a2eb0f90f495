"""The diarisation error rate, worked by hand, and its match of speakers against SciPy's."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from speechzoo.metrics.diarization import best_match, diarization_errors

REFERENCE = [(0.0, 10.0, "anna"), (10.0, 16.0, "bert"), (18.0, 20.0, "anna")]


def errors(answer, **options):
    return {name: round(value, 2) for name, value in diarization_errors(REFERENCE, answer, **options).items()}


def test_names_do_not_matter():
    assert errors([(start, end, {"anna": 1, "bert": 2}[name]) for start, end, name in REFERENCE], collar=0.0) == {
        "speech": 18.0, "missed": 0.0, "false_alarm": 0.0, "confused": 0.0}


def test_each_error_by_hand():
    # 1 is Anna, 2 is Bert: 2 s of Anna's first turn are Bert's, 1 s of Bert's is missed, 2 s of silence are 1's.
    answer = [(0.0, 8.0, 1), (8.0, 15.0, 2), (16.0, 20.0, 1)]
    assert errors(answer, collar=0.0) == {"speech": 18.0, "missed": 1.0, "false_alarm": 2.0, "confused": 2.0}
    # All of it one speaker: Bert's 6 s are confused.
    assert errors([(0.0, 20.0, 1)], collar=0.0) == {"speech": 18.0, "missed": 0.0, "false_alarm": 2.0, "confused": 6.0}
    assert errors([], collar=0.0) == {"speech": 18.0, "missed": 18.0, "false_alarm": 0.0, "confused": 0.0}


def test_boundaries_are_not_scored():
    # 0.25 s on both sides of 0, 10 (once), 16, 18 and 20: 0.25 + 0.5 + 0.25 + 0.25 + 0.25 s of speech, 0.5 s of silence.
    answer = [(0.2, 9.8, 1), (9.8, 16.2, 2), (18.2, 20.0, 1)]
    assert errors(answer) == {"speech": 16.5, "missed": 0.0, "false_alarm": 0.0, "confused": 0.0}
    assert errors([(0.0, 20.0, 1)])["false_alarm"] == 1.5


def test_who_speaks_at_once_counts_twice():
    found = diarization_errors([(0.0, 4.0, "a"), (2.0, 6.0, "b")], [(0.0, 3.0, 1), (3.0, 6.0, 2)], collar=0.0)
    assert {name: round(value, 2) for name, value in found.items()} == {
        "speech": 8.0, "missed": 2.0, "false_alarm": 0.0, "confused": 0.0}


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 2), (7, 7)])
def test_the_best_match_is_scipys(shape):
    for seed in range(5):
        together = np.random.default_rng(seed).integers(0, 50, shape)
        rows, columns = linear_sum_assignment(together, maximize=True)
        assert best_match(together) == together[rows, columns].sum()
    assert best_match(np.zeros((0, 3), int)) == 0
