"""Layers that multiply by weights, as they are and as int8 will have them."""

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo.config import ZooConfig, from_dict
from speechzoo.layers import quantizable as products
from speechzoo.layers.quantizable import FrameDense, InputRange, quantization_aware, round_inputs, round_weights
from speechzoo.multitask.build import build_model
from speechzoo.training.step import make_train_step
from tests import tiny_parts
from tests.multitask.test_weighting_training import CONFIG, make_batches

RANDOM = np.random.default_rng(0)
LAYERS = {
    "Dense": ((4, 6), {"units": 5}), "FrameDense": ((2, 7, 6), {"units": 5}),
    "Conv1D": ((2, 9, 6), {"filters": 5, "kernel_size": 3}), "Conv2D": ((2, 9, 8, 3), {"filters": 5, "kernel_size": 3}),
    "DepthwiseConv1D": ((2, 9, 6), {"kernel_size": 3}), "DepthwiseConv2D": ((2, 9, 8, 3), {"kernel_size": 3}),
}


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_frame_dense_equals_the_product_written_out(batch):
    layer = FrameDense(5, activation="tanh", name="layer")
    inputs = keras.Input((None, 3), batch_size=batch)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (batch, None, 5)
    layer.bias.assign(np.arange(5) / 5)
    audio = RANDOM.standard_normal((batch or 4, 7, 3)).astype(np.float32)
    expected = np.tanh(np.einsum("btc,cu->btu", audio, np.asarray(layer.kernel)) + np.arange(5) / 5)
    np.testing.assert_allclose(np.asarray(model(audio)), expected, atol=1e-6)


def test_frame_dense_loads_from_its_config():
    layer = FrameDense(4, use_bias=False)
    layer.build((None, None, 3))
    copy = FrameDense.from_config(layer.get_config())
    copy.build((None, None, 3))
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in layer.weights] == [(3, 4)]


@pytest.mark.parametrize("low, high", [(-1.3, 2.1), (0.0, 4.0), (-0.7, 0.0), (-100.0, 0.3)])
def test_rounded_inputs_and_their_gradients_are_tensorflows(low, high):
    tf = pytest.importorskip("tensorflow")
    values = tf.constant(1.5 * RANDOM.uniform(low, high, 500), tf.float32)
    found, expected = (tf.GradientTape() for _ in range(2))
    with found, expected:
        found.watch(values)
        expected.watch(values)
        ours = round_inputs(values, tf.constant(low), tf.constant(high))
        theirs = tf.quantization.fake_quant_with_min_max_vars(values, low, high)
    step = (high - low) / 255
    np.testing.assert_allclose(ours, theirs, atol=1.01 * step)  # one step where a value lies in the middle of two
    assert np.mean(np.abs(ours - theirs) > 0.01 * step) < 0.01
    np.testing.assert_array_equal(found.gradient(ours, values), expected.gradient(theirs, values))


@pytest.mark.parametrize("shape, axes", [((3, 2, 4, 5), (0, 1, 2)), ((3, 2, 4, 1), (0, 1)), ((6, 5), (0,))])
def test_rounded_weights_are_a_channels_127_steps_either_way(shape, axes):
    weights = RANDOM.standard_normal(shape).astype(np.float32)
    greatest = np.abs(weights).max(axis=axes, keepdims=True)
    levels = np.asarray(round_weights(weights, axes)) / (greatest / 127)
    np.testing.assert_allclose(levels, np.round(weights / (greatest / 127)), atol=1e-3)
    assert np.abs(levels).max() == pytest.approx(127) and np.asarray(round_weights(0 * weights, axes)).max() == 0


def test_ranges_follow_what_was_heard_in_training():
    layer = InputRange()
    sound = RANDOM.uniform(-1.0, 3.0, (4, 100)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(layer(sound)), sound)  # no range yet
    layer(sound, training=True)
    assert float(layer.low) == sound.min() and float(layer.high) == sound.max()
    layer(10 * sound, training=True)
    assert float(layer.high) == pytest.approx(0.99 * sound.max() + 0.1 * sound.max())
    layer(10 * sound, training=False)
    assert float(layer.high) == pytest.approx(1.09 * sound.max())
    assert len(np.unique(np.asarray(layer(sound)))) <= 256


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_layer_computes_with_rounded_weights_and_inputs(kind, use_bias):
    shape, options = LAYERS[kind]
    options = {**options, "use_bias": use_bias}
    plain = getattr(products, kind)(**options)
    inputs = RANDOM.standard_normal(shape).astype(np.float32)
    expected = np.asarray(plain(inputs))
    reference = getattr(keras.layers, kind.removeprefix("Frame"))(**options)
    reference.build(shape)
    reference.set_weights(plain.get_weights())
    np.testing.assert_allclose(expected, np.asarray(reference(inputs)), atol=1e-5)

    with quantization_aware():
        aware = getattr(products, kind)(**options)
    aware.build(shape)
    weights = dict(zip(("kernel", "bias"), plain.get_weights()))
    for name, value in weights.items():
        getattr(aware, name).assign(value)
    found = np.asarray(aware(inputs, training=True))
    # By hand: the reference layer with the rounded kernel, on the rounded inputs.
    reference.set_weights([np.asarray(round_weights(weights["kernel"], aware.kernel_axes)),
                           *[weights[name] for name in weights if name == "bias"]])
    rounded = np.asarray(round_inputs(inputs, *map(ops.convert_to_tensor, (inputs.min(), inputs.max()))))
    np.testing.assert_allclose(found, np.asarray(reference(rounded)), atol=1e-5)
    assert 1e-4 < np.abs(found - expected).max() < 0.1
    np.testing.assert_array_equal(np.asarray(aware.kernel), weights["kernel"])  # kept as it is


@pytest.mark.parametrize("backbone", ["ds_cnn", "conformer", "lstm"])  # every kind of product
def test_a_model_learns_aware_of_its_quantization(backbone):
    """Every product knows its range, every kernel learns, and the weights fit the model that computes in float."""
    config = {**CONFIG, "backbone": {"type": backbone, **tiny_parts.BACKBONES[backbone]},
              "heads": {"keyword": CONFIG["heads"]["keyword"]}}
    keras.utils.set_random_seed(1)
    with quantization_aware():
        aware = build_model(from_dict(ZooConfig, config))
    plain = build_model(from_dict(ZooConfig, config))
    ranges = [variable for variable in aware.weights if "/input_range/" in variable.path]
    assert {one.path for one in aware.weights} - {one.path for one in ranges} == {one.path for one in plain.weights}
    kernels = [variable for variable in aware.trainable_variables if variable.path.endswith("/kernel")]
    before = [np.array(kernel) for kernel in kernels]
    aware.compile(keras.optimizers.Adam(1e-2))
    step = make_train_step(aware)
    inputs, targets, weights = ({name: part[name] for name in part if name in ("audio", "audio_length", "keyword")}
                                for part in make_batches()[0])
    losses = [step(inputs, targets, weights)["loss"] for _ in range(30)]
    assert losses[-1] < 0.85 * losses[0]
    assert all(np.abs(np.array(kernel) - old).max() > 1e-3 for kernel, old in zip(kernels, before))
    assert len(ranges) >= 2 * len([kernel for kernel in kernels if "cell" not in kernel.path])
    assert all(float(high) > float(low) for low, high in zip(ranges[::2], ranges[1::2]))
