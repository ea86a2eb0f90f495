"""Batch normalisation without the padding, against Keras's own with a mask."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.layers.normalization import FrameBatchNormalization
from tests.helpers import spread_weights


@pytest.mark.parametrize("shape, padded", [((3, 7, 5), True), ((3, 7, 4, 5), True), ((2, 6, 5), False)])
def test_equals_keras_with_a_mask(shape, padded):
    inputs = tf.constant(np.random.default_rng(0).normal(3.0, 2.0, shape), tf.float32)
    valid = (np.arange(shape[1])[None] < np.array([7, 4, 1])[:, None]).astype(np.float32) if padded else None
    mask = None if valid is None else np.broadcast_to(valid.reshape(valid.shape + (1,) * (len(shape) - 3)) > 0, shape[:-1])
    valid = None if valid is None else valid.reshape(valid.shape + (1,) * (len(shape) - 2))
    ours = FrameBatchNormalization(epsilon=1e-5, momentum=0.9)
    theirs = keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9)
    ours.build(shape)
    theirs.build(shape)
    spread_weights(ours)
    theirs.set_weights(ours.get_weights())
    for training in (True, True, False):
        gradients = []
        for layer, second in ((ours, {"valid": valid}), (theirs, {"mask": mask})):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=training, **second)
                # Where nobody looks, the padding, Keras normalises as well.
                total = tf.reduce_sum(tf.sin(outputs) * (1.0 if valid is None else valid))
            gradients.append([outputs, *tape.gradient(total, [inputs, *layer.trainable_variables]), *layer.get_weights()])
        for mine, expected in zip(*gradients, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_a_large_mean_costs_no_precision_once_it_is_known():
    layer = FrameBatchNormalization(epsilon=1e-5, momentum=0.5)
    layer.build((None, None, 1))
    inputs = 1000 + np.random.default_rng(0).standard_normal((4, 50, 1)).astype(np.float32)
    for _ in range(30):
        outputs = np.asarray(layer(inputs, training=True))
    assert abs(outputs.mean()) < 1e-3 and outputs.std() == pytest.approx(1, abs=1e-3)
