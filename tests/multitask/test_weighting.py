"""Weightings against their formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.multitask.weighting import WEIGHTINGS, StaticWeighting, UncertaintyWeighting

WEIGHTS = {"keyword": 2.0, "gender": 0.5}
LOSSES = {"keyword": tf.constant(1.3), "gender": tf.constant(0.7)}
YES, NO = tf.constant(1.0), tf.constant(0.0)
BOTH = {"keyword": YES, "gender": YES}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_weighting(name):
    layer = WEIGHTINGS[name](weights=WEIGHTS, name="weighting")
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    # All start from the weighted sum, and a head that the batch doesn't have takes no part.
    assert float(layer(LOSSES, BOTH)) == float(twin(LOSSES, BOTH)) == pytest.approx(2.0 * 1.3 + 0.5 * 0.7)
    assert float(layer({"gender": LOSSES["gender"]}, {"gender": YES})) == pytest.approx(0.5 * 0.7)
    only_keyword = layer({**LOSSES, "gender": NO}, {"keyword": YES, "gender": NO})
    assert float(only_keyword) == pytest.approx(2.0 * 1.3)


def test_static_has_nothing_to_learn():
    assert StaticWeighting(WEIGHTS).weights == []


def test_uncertainty_equals_kendall_et_al():
    layer = UncertaintyWeighting(WEIGHTS)
    variances = {"keyword": 0.4, "gender": 2.5}
    for head, variance in variances.items():
        layer.log_variance[head].assign(np.log(variance))
    # loss / sigma^2 + log sigma
    expected = 2.0 * 1.3 / 0.4 + 0.5 * 0.7 / 2.5 + 0.5 * np.log(0.4) + 0.5 * np.log(2.5)
    assert float(layer(LOSSES, BOTH)) == pytest.approx(expected, rel=1e-6)


def test_a_variance_settles_at_twice_its_loss_and_rests_without_labels():
    layer = UncertaintyWeighting({"keyword": 1.0, "gender": 1.0})
    optimizer = keras.optimizers.SGD(0.2)
    for _ in range(150):
        with tf.GradientTape() as tape:
            total = layer({"keyword": tf.constant(1.5), "gender": NO}, {"keyword": YES, "gender": NO})
        gradients = tape.gradient(total, [weight.value for weight in layer.trainable_weights])
        optimizer.apply(gradients, layer.trainable_weights)
    # d/ds (exp(-s) loss + s / 2) = 0 at exp(s) = 2 loss.
    assert np.exp(float(layer.log_variance["keyword"])) == pytest.approx(3.0, rel=1e-3)
    assert float(layer.log_variance["gender"]) == 0.0
