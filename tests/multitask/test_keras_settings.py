"""Models under the settings that a user of Keras may have: policies, floatx, channels first."""

import keras
import numpy as np
import pytest

from speechzoo.audio import load_audio
from speechzoo.config import ZooConfig, from_dict
from speechzoo.multitask.build import build_model
from speechzoo.multitask.weighting import WEIGHTINGS
from speechzoo.registry import checkpoint_weights, list_models, load
from tests.helpers import keras_settings, spread_weights, tone
from tests.tiny_models import tiny

AUDIO = np.stack([tone(0.6, 300, seed=1), tone(0.6, 900, seed=2)])
LENGTHS = np.array([9600, 7000], np.int32)
CONFIG = tiny("set", backbone={"type": "conformer", "num_blocks": 1, "dropout": 0.0}, heads={
    "transcript": {"type": "ctc", "dropout": 0.0}, "keyword": {"classes": ["yes", "no"], "dropout": 0.0},
    "speech": {"dropout": 0.0}})
TARGETS = {"transcript": np.array([[7, 15], [21, 0]], np.int32), "keyword": np.array([0, 1], np.int32),
           "speech": np.array([[[1, 20], [2, 60]], [[2, 60], [0, 0]]], np.int32)}


def is_pretrained(name):
    try:
        return bool(checkpoint_weights(name))
    except ValueError:
        return False


def as_arrays(outputs):
    return {name: np.asarray(output) for name, output in outputs.items()}


def relative_difference(expected, outputs):
    """The greatest, over heads, root of the mean square of the difference as a fraction of that of the answers."""
    worst = 0.0
    for name, one in expected.items():
        one, two = np.asarray(one, np.float64), np.asarray(outputs[name], np.float64)
        real = one > -1e8
        assert np.isfinite(two).all() and (two[~real] < -1e8).all()
        worst = max(worst, np.sqrt(np.square((one - two)[real]).mean() / np.square(one[real]).mean()))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in list_models() if is_pretrained(name)])
def test_trained_models_answer_as_in_float32(name):
    audio = load_audio("examples/sentence.flac", 16000)[None, :32000]
    expected = as_arrays(load(name)(audio))
    for policy, tolerance in (("mixed_float16", 0.02), ("mixed_bfloat16", 0.12)):
        with keras_settings(policy):
            model = load(name)
            outputs = as_arrays(model(audio))
        assert all(output.dtype == np.float32 for output in outputs.values())
        assert all(weight.dtype == "float32" for weight in model.weights)
        assert relative_difference(expected, outputs) < tolerance, policy
        for head, output in expected.items():
            if output.ndim == 2:
                assert output.argmax() == outputs[head].argmax(), (policy, head)


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("settings, tolerance", [
    ({"policy": "mixed_float16"}, 0.02), ({"policy": "mixed_bfloat16"}, 0.12),
    ({"data_format": "channels_first"}, 1e-6)])
def test_a_model_answers_and_trains(settings, tolerance):
    inputs = {"audio": AUDIO, "audio_length": LENGTHS}
    keras.utils.set_random_seed(1)
    reference = build_model(from_dict(ZooConfig, CONFIG))
    spread_weights(reference)
    with keras_settings(**settings):
        model = build_model(from_dict(ZooConfig, CONFIG))
        model.set_weights(reference.get_weights())
        assert relative_difference(reference.predict(inputs, verbose=0), model.predict(inputs, verbose=0)) < tolerance
        model.compile(keras.optimizers.Adam(1e-3))
        # Mixed float16 begins with a scale of the loss that is too large, and leaves steps out until it fits.
        losses = model.fit(inputs, TARGETS, epochs=12, verbose=0).history["loss"]
        assert np.isfinite(losses).all() and losses[-1] < losses[0], losses
        assert all(np.isfinite(np.asarray(weight, np.float64)).all() for weight in model.weights)
    reference.compile()
    expected = reference.evaluate(inputs, TARGETS, verbose=0, return_dict=True)["loss"]
    with keras_settings(**settings):
        model.set_weights(reference.get_weights())
        assert model.evaluate(inputs, TARGETS, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_only_weights_in_float32_train(dtype):
    """With `floatx`, with a policy, and with a model that was built under it."""
    config = from_dict(ZooConfig, {**CONFIG, "backbone": {"type": "ds_cnn", "channels": 4, "num_blocks": 1}})
    models = []
    for settings in ({"floatx": dtype}, {"policy": dtype}, {"policy": dtype, "floatx": dtype}):
        with keras_settings(**settings):
            models.append(build_model(config))
            with pytest.raises(ValueError, match=f"don't train throughout in {dtype}.*policy.'mixed_float16'"):
                models[-1].compile()
    models[0].compile()
    with pytest.raises(ValueError, match=f"in {dtype}"):
        models[1].compile()


@pytest.mark.parametrize("weighting", [name for name in WEIGHTINGS if name in ("uncertainty", "famo", "pcgrad")])
def test_weightings_in_half_precision(weighting):
    config = tiny(heads=CONFIG["heads"], weighting={"type": weighting})  # on a smaller backbone: graphs take long to make
    with keras_settings("mixed_float16"):
        model = build_model(from_dict(ZooConfig, config))
        model.compile(keras.optimizers.Adam(1e-3))
        assert model.optimizer.name.startswith("loss_scale")
        history = model.fit({"audio": AUDIO, "audio_length": LENGTHS}, TARGETS, epochs=2, verbose=0).history
        assert np.isfinite(history["loss"]).all()
        assert all(weight.dtype == "float32" for weight in model.weighting.weights)
