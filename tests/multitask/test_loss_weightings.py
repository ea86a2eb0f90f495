"""Weightings of losses against their formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from speechzoo.multitask.weighting import WEIGHTINGS, DWAWeighting, FAMOWeighting, GradientWeighting, RLWWeighting

HEADS = ("keyword", "gender", "phones")
LOSS_METHODS = [name for name, method in WEIGHTINGS.items() if not issubclass(method, GradientWeighting)]


def as_dict(values):
    return {name: tf.constant(value, tf.float32) for name, value in zip(HEADS, values)}


def weights_of(method, losses, present=(1, 1, 1)):
    """The weights of one training step: what the total is made of."""
    with tf.GradientTape() as tape:
        losses = as_dict(np.multiply(losses, present))
        tape.watch(losses)
        total = method(losses, as_dict(present), training=True)
    gradients = tape.gradient(total, list(losses.values()), unconnected_gradients="zero")
    weights = np.array([float(gradient) for gradient in gradients])
    np.testing.assert_allclose(float(total), sum(weights * [float(loss) for loss in losses.values()]), rtol=1e-5)
    return weights * present


@pytest.mark.parametrize("name", LOSS_METHODS)
def test_absent_heads_change_nothing_for_the_others(name):
    method = WEIGHTINGS[name](dict.fromkeys(HEADS, 1.0))
    state = method.get_weights()
    weights = weights_of(method, [1.3, 0.7, 2.0], (1, 0, 1))
    assert weights[1] == 0 and (weights[[0, 2]] > 0).all()
    assert all(before == after for variable, before, after in zip(method.weights, state, method.get_weights())
               if variable.name.startswith("gender"))
    assert not weights_of(method, [1, 1, 1], (0, 0, 0)).any()
    assert all(np.isfinite(value).all() for value in method.get_weights())
    # A head that the batch has no targets for at all, and one with factor 0.
    total = method({"keyword": tf.constant(1.5)}, {"keyword": tf.constant(1.0)}, training=True)
    assert 0 < float(total) < 10
    without = WEIGHTINGS[name](dict(zip(HEADS, (1.0, 0.0, 1.0))))
    assert weights_of(without, [1.3, 0.7, 2.0])[1] == 0


# -- DWA -------------------------------------------------------------------------------------------------------------

def test_dwa_follows_its_equation_window_by_window():
    method = DWAWeighting(dict.fromkeys(HEADS, 1.0), temperature=1.5, window=2)
    losses = np.random.default_rng(0).uniform(0.5, 2, (8, 3))
    means = losses.reshape(4, 2, 3).mean(axis=1)
    for step in range(8):
        window = step // 2
        ratio = means[window - 1] / means[window - 2] if window >= 2 else np.ones(3)
        expected = 3 * np.exp(ratio / 1.5) / np.exp(ratio / 1.5).sum()
        np.testing.assert_allclose(weights_of(method, losses[step]), expected, rtol=1e-5)


def test_dwa_means_are_over_batches_with_labels():
    method = DWAWeighting(dict.fromkeys(HEADS, 1.0), temperature=1.0, window=2)
    for losses, present in (([4, 1, 1], (1, 1, 1)), ([9, 1, 1], (0, 1, 1)), ([2, 1, 1], (1, 1, 1)),
                            ([9, 1, 1], (0, 1, 1))):
        weights_of(method, losses, present)
    expected = np.exp([0.5, 1, 1])
    # A window without any labels of a head leaves its ratio as it was.
    for _ in range(4):
        weights = weights_of(method, [1, 1, 1], (0, 1, 1))
    np.testing.assert_allclose(weights[1:], 3 * (expected / expected.sum())[1:], rtol=1e-5)
    with pytest.raises(ValueError, match="dwa needs temperature > 0 and window >= 1, got 0.0 and 5"):
        DWAWeighting({}, temperature=0.0, window=5)


# -- RLW -------------------------------------------------------------------------------------------------------------

def test_rlw_draws_weights_of_mean_one():
    method = RLWWeighting(dict.fromkeys(HEADS, 1.0))
    draw = tf.function(method.task_weights)
    drawn = np.array([draw(tf.ones(3), tf.ones(3)) for _ in range(300)])
    np.testing.assert_allclose(drawn.sum(axis=1), 3, rtol=1e-5)
    assert len(np.unique(drawn[:, 0])) > 290
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.12)
    logits = np.random.default_rng(0).standard_normal((20000, 3))
    reference = 3 * np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert drawn.std() == pytest.approx(reference.std(), rel=0.15)
    two = np.array([draw(tf.ones(3), tf.constant([1.0, 0, 1])) for _ in range(20)])
    np.testing.assert_allclose(two.sum(axis=1), 2, rtol=1e-5)


# -- FAMO ------------------------------------------------------------------------------------------------------------

def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def test_famo_follows_its_algorithm():
    method = FAMOWeighting(dict.fromkeys(HEADS, 1.0), learning_rate=0.1, decay=0.01)
    random = np.random.default_rng(0)
    logits, mean, square = np.zeros(3), np.zeros(3), np.zeros(3)
    for step in range(1, 5):
        before, after = random.uniform(0.5, 2, (2, 3))
        shares = softmax(logits)
        # The derivative of c x log losses is (shares / loss) normalised to sum to 1; here to the number of heads.
        np.testing.assert_allclose(weights_of(method, before), 3 * shares / before / (shares / before).sum(), rtol=1e-4)
        method.observe(tf.constant(after, tf.float32), tf.ones(3))
        jacobian = np.diag(shares) - np.outer(shares, shares)
        slope = jacobian @ (np.log(before) - np.log(after)) + 0.01 * logits
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope ** 2
        logits = logits - 0.1 * mean / (1 - 0.9 ** step) / (np.sqrt(square / (1 - 0.999 ** step)) + 1e-8)
        np.testing.assert_allclose(method.read(method.logits), logits, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="famo needs learning_rate > 0"):
        FAMOWeighting({}, learning_rate=0.0)


def test_famo_lets_log_losses_fall_alike():
    """Two quadratics of x, one fifty times as steep: under the plain sum the flat one barely falls at first."""
    shapes, falls = np.array([50.0, 1.0]), {}
    for name in ("famo", "static"):
        method = WEIGHTINGS[name](dict.fromkeys(HEADS[:2], 1.0))
        weigh = tf.function(method.task_weights)
        observe = tf.function(method.observe) if name == "famo" else lambda *_: None
        point = np.array([1.0, 1.0])
        for _ in range(60):
            weights = weigh(tf.constant(shapes * point ** 2 / 2, tf.float32), tf.ones(2)).numpy()
            point = point - 0.01 * weights * shapes * point
            observe(tf.constant(shapes * point ** 2 / 2, tf.float32), tf.ones(2))
        falls[name] = -2 * np.log(np.abs(point))
    assert falls["static"][0] / falls["static"][1] > 20
    assert falls["famo"][0] / falls["famo"][1] == pytest.approx(1, abs=0.15)
