"""Shared checks: a new part's test is its arguments and what it must give."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from speechzoo.origin import Origin

SAMPLE_RATE = 16000
# First line of a new interpreter that imports Keras: what Keras imports only where it is installed takes as long again.
WITHOUT_EXTRAS = "import sys; sys.modules.update(dict.fromkeys(('sklearn', 'matplotlib')))\n"
# Of weights that derive from published ones.
ORIGIN = Origin("MIT", [{"name": "Ears 1", "licence": "MIT", "copyright": "Copyright (c) 1999 Somebody",
                         "sha256": "0123", "licence_text": "Do what you like.\n"}])


def tone(seconds: float = 1.0, frequency: float = 440.0, sample_rate: int = SAMPLE_RATE,
         seed: int | None = None) -> np.ndarray:
    """A sine at a third of full scale, float32 (samples,), with a little noise when a seed is given."""
    time = np.arange(int(round(seconds * sample_rate))) / sample_rate
    audio = np.sin(2 * np.pi * frequency * time) / 3
    if seed is not None:
        audio = audio + 0.01 * np.random.default_rng(seed).standard_normal(len(time))
    return audio.astype(np.float32)


def write_wav(path, audio: np.ndarray, sample_rate: int = SAMPLE_RATE, subtype: str = "PCM_16"):
    """Writes `audio` (samples,) or (samples, channels), making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, sample_rate, subtype=subtype)
    return path


def encoded(audio: np.ndarray, container: str = "WAV", sample_rate: int = SAMPLE_RATE,
            subtype: str | None = None) -> bytes:
    """`audio` as the bytes of a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, sample_rate, format=container, subtype=subtype)
    return buffer.getvalue()


@contextlib.contextmanager
def without_graphs():
    """While it is open, steps run operation by operation: a graph takes longer to make than a few steps to run.

    `tests/training/test_step.py` holds both ways to the same numbers.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


# -- layers ----------------------------------------------------------------------------------------------------------
# A front end, backbone or head is called as `layer(inputs, lengths, training)`. Keras is imported where it is needed:
# most tests work without it.

def spread_weights(layer, seed: int = 0):
    """Moves every weight off its initial value (biases off 0, stored variances off 1), so that each one matters."""
    random = np.random.default_rng(seed)
    for weight in layer.weights:
        if "variance" in weight.name:
            weight.assign(random.uniform(0.5, 2.0, weight.shape))
        else:
            weight.assign(np.asarray(weight) + 0.2 * random.standard_normal(weight.shape))


def run_layer(layer, inputs, lengths=None, training: bool = False):
    """What a layer gives, as (list of NumPy arrays, NumPy lengths or None); a head keeps the lengths it was given."""
    lengths = None if lengths is None else np.asarray(lengths, np.int32)
    result = layer(np.asarray(inputs, np.float32), lengths, training=training)
    outputs, lengths = result if isinstance(result, tuple) else (result, lengths)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(output) for output in outputs], None if lengths is None else np.asarray(lengths)


def check_padding(layer, inputs, lengths, growth: int = 23, tolerance: float = 1e-5):
    """Padding changes nothing: whatever it holds, however long it is, and against the row alone without any lengths.

    Args:
        layer: A built front end, backbone or head.
        inputs: float32 (batch, time, ...); what lies behind `lengths` is replaced by noise.
        lengths: int (batch,); the first should be the full time, so that "no lengths" is compared with "full lengths".
    """
    random = np.random.default_rng(7)
    inputs = np.array(inputs, np.float32)
    for row, length in enumerate(lengths):
        inputs[row, length:] = random.standard_normal(inputs[row, length:].shape)
    more = random.standard_normal((len(inputs), growth, *inputs.shape[2:]))
    outputs, out_lengths = run_layer(layer, inputs, lengths)
    grown, grown_lengths = run_layer(layer, np.concatenate([inputs, more], axis=1), lengths)
    np.testing.assert_array_equal(out_lengths, grown_lengths)
    for row, length in enumerate(lengths):
        alone, no_lengths = run_layer(layer, inputs[row:row + 1, :length])
        assert no_lengths is None, "without lengths there are none to return"
        for one, two, three in zip(outputs, grown, alone, strict=True):
            along_time = one.ndim == 3
            valid = slice(0, out_lengths[row]) if along_time else slice(None)
            assert not along_time or three.shape[1] == out_lengths[row]
            np.testing.assert_allclose(two[row, valid], one[row, valid], atol=tolerance, rtol=0)
            np.testing.assert_allclose(three[0], one[row, valid], atol=tolerance, rtol=0)
    return outputs, out_lengths


def check_config_round_trip(layer, build, inputs, lengths=None):
    """`from_config(get_config())` has the same settings and weights of the same shapes, and computes the same."""
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    build(twin)
    assert [(w.path.split("/", 1)[-1], w.shape) for w in twin.weights] == [
        (w.path.split("/", 1)[-1], w.shape) for w in layer.weights]
    twin.set_weights(layer.get_weights())
    for one, two in zip(run_layer(layer, inputs, lengths)[0], run_layer(twin, inputs, lengths)[0], strict=True):
        np.testing.assert_array_equal(one, two)


def check_saving(layer, inputs, lengths):
    """A user's own `keras.Model` around the layer is saved as a `.keras` file and computes the same when it is loaded.

    Args:
        layer: A built front end, backbone or head.
        inputs, lengths: As `run_layer` takes them.
    """
    import keras

    padded = keras.Input((None, *np.shape(inputs)[2:]), dtype="float32")
    length = keras.Input((), dtype="int32")
    model = keras.Model([padded, length], layer(padded, length))
    values = [np.asarray(inputs, np.float32), np.asarray(lengths, np.int32)]
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.models.load_model(Path(folder) / "model.keras")
    assert [weight.shape for weight in loaded.weights] == [weight.shape for weight in model.weights]
    for one, two in zip(keras.tree.flatten(model(values)), keras.tree.flatten(loaded(values)), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


@contextlib.contextmanager
def keras_settings(policy: str = "float32", floatx: str = "float32", data_format: str = "channels_last"):
    """A user's settings of Keras, for a while."""
    import keras

    before = keras.config.dtype_policy(), keras.config.floatx(), keras.config.image_data_format()
    try:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(data_format)
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])
        keras.config.set_image_data_format(before[2])


# Settings of Keras, and how far from float32 answers may lie under them: the root of the mean square of the difference
# as a fraction of that of the answers. Half precision has 11 bits, bfloat16 has 8.
PRECISIONS = [({"policy": "mixed_float16"}, 0.01), ({"policy": "mixed_bfloat16"}, 0.06),
              ({"policy": "float64", "floatx": "float64"}, 1e-4), ({"data_format": "channels_first"}, 1e-6)]


def check_precision(make, inputs, lengths, settings=PRECISIONS, exact: bool = False):
    """Under a user's settings of Keras the same weights give nearly the same, finite numbers.

    Args:
        make: () -> the layer, built.
        inputs, lengths: As `run_layer` takes them.
        settings: Pairs of settings and tolerance; see `PRECISIONS`.
        exact: The layer computes in float32 whatever the settings.
    """
    layer = make()
    spread_weights(layer)
    expected, _ = run_layer(layer, inputs, lengths)
    for options, tolerance in settings:
        with keras_settings(**options):
            twin = make()
            twin.set_weights(layer.get_weights())
            outputs, _ = run_layer(twin, inputs, lengths)
            trained, _ = run_layer(twin, inputs, lengths, training=True)
        assert all(np.isfinite(output.astype(np.float64)).all() for output in [*outputs, *trained]), options
        for one, two in zip(expected, outputs, strict=True):
            one, two = one.astype(np.float64), two.astype(np.float64)
            real = one > -1e8  # what marks padding has no size
            assert (two[~real] < -1e4).all()
            difference = np.sqrt(np.mean(np.square((one - two)[real])) / np.mean(np.square(one[real])))
            assert difference <= (1e-6 if exact else tolerance), (options, difference)


def check_gradients(layer, loss_of, inputs, unmoved: tuple = ()):
    """The loss has a finite gradient that is not zero in every trainable weight, and in the inputs.

    Args:
        loss_of: inputs -> scalar loss.
        unmoved: Ends of the paths of weights whose gradient is zero by the mathematics of the layer.
    """
    import tensorflow as tf

    inputs = tf.constant(inputs, tf.float32)
    weights = layer.trainable_weights
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = loss_of(inputs)
    gradients = tape.gradient(loss, [inputs, *[weight.value for weight in weights]])
    assert np.isfinite(float(loss))
    for name, gradient in zip(["inputs", *[weight.path for weight in weights]], gradients):
        assert gradient is not None, f"no gradient reaches {name}"
        gradient = tf.convert_to_tensor(gradient)  # of a table that is looked up, only some rows come
        assert np.all(np.isfinite(gradient)), f"the gradient of {name} is not finite"
        if not name.endswith(unmoved or ("\0",)):
            assert np.max(np.abs(gradient)) > 1e-7, f"the gradient of {name} is zero"


def weighted_sum(outputs):
    """A loss in which no two output values count the same."""
    from keras import ops

    random = np.random.default_rng(3)
    return sum(ops.sum(output * random.standard_normal(output.shape).astype(np.float32)) for output in outputs)


def _built(layer, build):
    build(layer)
    return layer


def check_frontend(cls, options: dict, num_features: int, frame_seconds: float):
    """All that holds for every front end.

    Args:
        cls: The class.
        options: Its constructor's arguments.
        num_features: Features a frame it must give.
        frame_seconds: Step between frames, seconds.
    """
    import keras

    from speechzoo.frontends import Frontend

    def build(layer):
        layer.build((None, None))

    keras.utils.set_random_seed(0)  # rounding goes by the weights, which are random
    layer = cls(name="frontend", **options)
    build(layer)
    spread_weights(layer)
    assert isinstance(layer, Frontend)
    assert (layer.num_features, layer.frame_seconds, layer.sample_rate) == (num_features, frame_seconds, SAMPLE_RATE)
    hop = round(frame_seconds * SAMPLE_RATE)
    assert layer.hop_length == hop and layer.window_length >= hop and layer.causal in (False, True)
    samples = np.array([20 * hop + 13, 20 * hop, 11 * hop + 1, 7 * hop - 1])  # beside, on and around frame borders
    audio = 0.3 * np.random.default_rng(0).standard_normal((len(samples), samples.max()))
    (features,), lengths = run_layer(layer, audio, samples)
    assert features.shape == (len(samples), layer.output_length(samples.max()), num_features)
    assert lengths.tolist() == [layer.output_length(int(count)) for count in samples]
    assert np.all(np.isfinite(features)) and features.std() > 0
    for row, length in enumerate(lengths):
        assert not features[row, length:].any(), "the padding is not zero"
    check_padding(layer, audio, samples, growth=3 * hop + 5, tolerance=5e-5)
    check_config_round_trip(layer, build, audio, samples)
    check_gradients(layer, lambda inputs: weighted_sum([layer(inputs, samples.astype(np.int32))[0]]), audio)
    check_saving(layer, audio, samples)
    check_precision(lambda: _built(cls(name="frontend", **options), build), audio, samples, exact=True)
    silence, _ = run_layer(layer, np.zeros((1, samples.max())), samples[:1])
    trained, _ = run_layer(layer, audio, samples, training=True)
    assert np.all(np.isfinite(silence[0])) and np.all(np.isfinite(trained[0]))


def check_backbone(cls, options: dict, num_blocks: int, subsampling: int, output_size: int | list[int],
                   unmoved: tuple = ()):
    """All that holds for every backbone.

    Args:
        cls: The class.
        options: Its constructor's arguments.
        num_blocks, subsampling, output_size: The attributes it must have and the shapes it must give; a list where the
            channels differ from block to block.
        unmoved: See `check_gradients`.
    """
    import keras

    def build(layer):
        layer.build((None, None, 16))

    sizes = output_size if isinstance(output_size, list) else [output_size] * num_blocks

    keras.utils.set_random_seed(1)  # the units that are never active under some weights would have no gradient
    layer = cls(name="backbone", **options)
    build(layer)
    spread_weights(layer)
    assert (layer.num_blocks, layer.subsampling, layer.output_size) == (num_blocks, subsampling, sizes[-1])
    frames = np.array([41, 40, 25, 9, 1])
    features = np.random.default_rng(0).standard_normal((len(frames), frames.max(), 16))
    outputs, lengths = check_padding(layer, features, frames)
    assert lengths.tolist() == [layer.output_lengths(int(count)) for count in frames]
    assert [output.shape for output in outputs] == [(len(frames), lengths.max(), size) for size in sizes]
    for output in outputs:
        assert np.all(np.isfinite(output)) and output.std() > 0
        for row, length in enumerate(lengths):
            assert not output[row, length:].any(), "the padding is not zero"
    check_config_round_trip(layer, build, features, frames)
    # The sum over blocks as heads at different blocks make it; dropout and batch statistics as in evaluation.
    check_gradients(layer, lambda inputs: weighted_sum(layer(inputs, frames.astype(np.int32))[0]), features, unmoved)
    check_saving(layer, features, frames)
    check_precision(lambda: _built(cls(name="backbone", **options), build), features, frames)
    before = [np.asarray(weight) for weight in layer.non_trainable_weights]
    (*_, trained), _ = run_layer(layer, features, frames, training=True)
    assert np.all(np.isfinite(trained))
    assert all(np.all(np.isfinite(weight)) for weight in layer.non_trainable_weights)
    assert not before or any(not np.array_equal(old, new) for old, new in zip(before, layer.non_trainable_weights))


def check_head(cls, options: dict, labels: list, output_shape: tuple, unmoved: tuple = ()):
    """All that holds for every head.

    Args:
        cls: The class.
        options: Its constructor's arguments.
        labels: Four labels as they stand in a manifest.
        output_shape: Shape it must give for four rows of 12 frames.
        unmoved: See `check_gradients`.
    """
    import keras

    def build(layer):
        layer.build((None, None, 10))

    keras.utils.set_random_seed(1)  # under some weights the gradients of a hinge loss cancel
    head = cls(name="task", **options)
    build(head)
    spread_weights(head)
    lengths = np.array([12, 11, 8, 5])
    frames = np.random.default_rng(0).standard_normal((4, 12, 10))
    frames *= np.arange(12)[None, :, None] < lengths[:, None, None]  # as backbones give them
    (output,), _ = run_layer(head, frames, lengths)
    assert output.shape == output_shape and np.all(np.isfinite(output))
    check_padding(head, frames, lengths)
    check_config_round_trip(head, build, frames, lengths)

    check_saving(head, frames, lengths)
    check_precision(lambda: _built(cls(name="task", **options), build), frames, lengths, exact=True)

    encoded_labels = [head.encode(label) for label in labels]
    assert all(target.dtype == head.target_dtype and target.ndim == len(head.target_shape) for target in encoded_labels)
    if head.target_shape:
        size = max(map(len, encoded_labels))
        encoded_labels = [np.pad(target, [(0, size - len(target))] + [(0, 0)] * (target.ndim - 1))
                          for target in encoded_labels]
    targets, loss = np.stack(encoded_labels), head.loss()
    assert loss.reduction == "mean_with_sample_weight"
    check_gradients(head, lambda inputs: loss(targets, head(inputs, lengths.astype(np.int32))), frames, unmoved)

    # A loss is the mean over rows with weight; a metric counts the same rows.
    each = [float(loss(targets[row:row + 1], output[row:row + 1])) for row in range(4)]
    kept = np.array([1, 0, 1, 0], np.float32)
    np.testing.assert_allclose(float(loss(targets, output, sample_weight=kept)), (each[0] + each[2]) / 2, rtol=1e-5)
    assert float(loss(targets, output, sample_weight=0 * kept)) == 0.0
    for all_rows, some_rows in zip(head.metrics_for_fit(), head.metrics_for_fit(), strict=True):
        all_rows.update_state(targets[::2], output[::2])
        some_rows.update_state(targets, output, sample_weight=kept)
        np.testing.assert_allclose(float(some_rows.result()), float(all_rows.result()), rtol=1e-6)

    json.dumps(head.spec())  # plain values: it travels inside exported files
    assert head.spec()["label"] == head.label == options.get("label", "task")
