"""Which features are hidden, and that nothing of them is left."""

import numpy as np
import pytest

from speechzoo.pretraining.feature_mask import FeatureMask
from tests.pretraining.toy import noise

LENGTHS = np.array([103, 60, 8, 3], np.int32)


def masked(layer, features, lengths, training=False):
    seen, hidden = layer(features, np.asarray(lengths, np.int32), training=training)
    return np.asarray(seen), np.asarray(hidden)


@pytest.mark.parametrize("training", [False, True])
def test_spans_are_whole_frames_of_the_recording_and_at_most_half_where_they_begin_once(training):
    layer = FeatureMask(probability=0.0, span=6, number=4, seed=2)
    _, hidden = masked(layer, noise(4, 103, 5), LENGTHS, training)
    assert set(np.unique(hidden)) == {0.0, 1.0}
    for row, length in zip(hidden, LENGTHS):
        assert (row == row[:, :1]).all(), "a span hides all bins"
        places = np.flatnonzero(row[:, 0])
        assert places.max() < length
        whole = max(length // 4, 1)
        assert places[0] % 4 == 0 and (np.diff(places) == 1).all()
        assert len(places) <= min(4 * min(6, max(whole // 2, 1)), length) and len(places) > 0


def test_as_much_is_hidden_as_the_probabilities_say():
    probability, span, frames = 0.05, 4, 400
    layer = FeatureMask(probability, span, number=2)
    _, hidden = masked(layer, np.zeros((64, 2 * frames, 1), np.float32), [2 * frames] * 64, training=True)
    inside = hidden[:, 2 * span:, 0]  # a span may have begun in each of the last four
    assert inside.mean() == pytest.approx(1 - (1 - probability) ** span, rel=0.03)
    assert (inside[:, ::2] == inside[:, 1::2]).all()


def test_bands_hide_the_same_bins_of_all_frames():
    _, hidden = masked(FeatureMask(0.0, 1, band=4), noise(300, 20, 10), [20] * 300, training=True)
    bands = hidden.min(axis=1)  # in all frames, the one with a span too
    widths = bands.sum(axis=1)
    assert np.bincount(widths.astype(int), minlength=5).min() > 40 and widths.max() == 4
    for band in bands:
        assert (np.diff(np.flatnonzero(band)) == 1).all()


def test_nothing_of_what_is_hidden_is_left():
    layer = FeatureMask(0.1, 3, number=2, band=3, noise=0.1)
    features = noise(4, 103, 8)
    features *= np.arange(103)[:, None] < LENGTHS[:, None, None]
    seen, hidden = masked(layer, features, LENGTHS)
    again, same = masked(layer, features + 100.0 * hidden, LENGTHS)
    np.testing.assert_array_equal(hidden, same)
    np.testing.assert_allclose(again, seen, atol=1e-4)
    np.testing.assert_array_equal(seen[hidden == 0], features[hidden == 0])
    # What replaces it: noise around the mean of the rest.
    first = np.asarray(features[0][(hidden[0] == 0)])
    assert seen[0][hidden[0] == 1].mean() == pytest.approx(first.mean(), abs=0.05)
    assert seen[0][hidden[0] == 1].std() == pytest.approx(0.1 * first.std(), rel=0.15)


def test_masks_differ_from_step_to_step_and_come_from_the_seed():
    features = noise(2, 50, 4)

    def three(layer, training):
        return [masked(layer, features, [50, 50], training)[1] for _ in range(3)]

    one, two = (three(FeatureMask(0.1, 3, seed=4), True) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one[0] != one[1]).any() and (one[1] != one[2]).any()
    first, second, _ = three(FeatureMask(0.1, 3, seed=4), False)
    np.testing.assert_array_equal(first, second)
    assert (first != three(FeatureMask(0.1, 3, seed=5), False)[0]).any()


def test_the_state_of_its_random_numbers_is_a_variable_that_checkpoints_hold():
    layer, features = FeatureMask(0.1, 3), noise(2, 50, 4)
    masked(layer, features, [50, 50], True)
    state = [np.array(variable) for variable in layer.variables]
    expected = masked(layer, features, [50, 50], True)[1]
    assert len(state) == 1
    layer.variables[0].assign(state[0])
    np.testing.assert_array_equal(masked(layer, features, [50, 50], True)[1], expected)
