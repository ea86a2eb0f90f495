"""An exported attention decoder: builtin operators, any sizes, and the logits that Keras gives."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from speechzoo.config import ZooConfig, from_dict
from speechzoo.decoding.attention.cache import CACHE_STEP, cache_at
from speechzoo.decoding.attention.memory import memory_parts
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.network import quantization
from speechzoo.exporters.network.flatbuffer import count_operators, custom_operators
from speechzoo.exporters.parity import measure_logits
from speechzoo.exporters.tflite import export_tflite
from speechzoo.multitask.build import build_model
from tests.helpers import spread_weights, tone
from tests.multitask.test_decode_step import CONFIG

SOUNDS = [tone(0.7, 300, seed=1), tone(1.1, 900, seed=2)]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    # Large enough that weights and embeddings are worth eight bits.
    head = {**CONFIG["heads"]["transcript"], "layers": 2, "size": 36, "dropout": 0.0}
    model = build_model(from_dict(ZooConfig, {**CONFIG, "heads": {"transcript": head}}))
    spread_weights(model.heads["transcript"])
    return model


@pytest.fixture(scope="module")
def exports(model, tmp_path_factory):
    """Quantization -> export."""
    return {quantize: export_tflite(model, tmp_path_factory.mktemp("decoder"), quantize, SOUNDS)
            for quantize in ("none", "dynamic")}


@pytest.fixture(params=["none", "dynamic"])
def exported(request, exports):
    return request.param, exports[request.param]


def logits_of(step, texts, memory):
    """Logits (texts, tokens, vocabulary) and weights of the frames, step by step; texts change places on the way."""
    logits, weights, state, order = [], [], None, np.arange(len(texts))
    for position in range(texts.shape[1]):
        of_next, state, of_frames = step(texts[order, position], position, memory, state)
        logits.append(np.empty_like(of_next))
        weights.append(np.empty_like(of_frames))
        logits[-1][order], weights[-1][order] = of_next, of_frames
        turned = np.roll(np.arange(len(texts)), 1)
        order, state = order[turned], {name: part[turned] for name, part in state.items()}
    return np.stack(logits, axis=1), np.stack(weights, axis=1)


def test_it_writes_what_keras_writes_whatever_the_sizes(model, exported):
    quantize, export = exported
    device = EdgeModel(export.path)
    assert custom_operators(export.path.read_bytes()) == []
    assert list(device.decode_steps) == ["transcript"] and "decode_step" in device.signatures
    for seconds, count, length in ((0.5, 1, 4), (1.3, 3, CACHE_STEP + 4)):
        memory = model.batch_outputs([tone(seconds, 500, seed=3)])[0]["transcript"]
        texts = np.random.default_rng(count).integers(0, 30, (count, length))
        found, looked = logits_of(device.decode_steps["transcript"], texts, memory)
        expected, wanted = logits_of(model.decode_steps["transcript"], texts, memory)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5 if quantize == "none" else 0.1)
        np.testing.assert_allclose(looked, wanted, atol=1e-5 if quantize == "none" else 0.1)
        np.testing.assert_allclose(looked.sum(-1), 1.0, atol=1e-5)


def test_its_memory_is_the_models(model, exported):
    quantize, export = exported
    audio = tone(0.9, 700, seed=4)
    found, = EdgeModel(export.path).batch_outputs([audio])
    expected, = model.batch_outputs([audio])
    assert (found["transcript"][:, -1] == 1).all()
    np.testing.assert_allclose(found["transcript"], expected["transcript"], atol=1e-4 if quantize == "none" else 0.2)


def test_weights_are_stored_in_eight_bits(model, exports):
    numbers = sum(weight.size for weight in map(np.asarray, model.heads["transcript"].weights))
    sizes = {quantize: export.path.stat().st_size for quantize, export in exports.items()}
    assert sizes["none"] - sizes["dynamic"] > 2.5 * numbers


def test_large_vocabularies_are_read_from_the_file(model, exports, monkeypatch):
    """Without a copy of their own in XNNPACK's layout, by a kernel that gives the same."""
    network = exports["none"].path.read_bytes()
    copied = quantization.quantize_weights(network, "dynamic")
    monkeypatch.setattr(quantization, "_MAXIMUM_COPIED_ELEMENTS", 1024)
    in_place = quantization.quantize_weights(network, "dynamic")
    assert count_operators(in_place)["FILL"] > count_operators(copied)["FILL"]
    shapes, memory = model.heads["transcript"].cache_shapes(), model.batch_outputs([SOUNDS[0]])[0]["transcript"]
    inputs = {"tokens": np.array([[3]], np.int32), "position": np.array(0, np.int32), **cache_at(0, 1, None, shapes),
              **memory_parts(memory[None], shapes)}
    first, second = (Interpreter(model_content=each).get_signature_runner("decode_step")(**inputs)["logits"]
                     for each in (copied, in_place))
    np.testing.assert_allclose(first, second, atol=0.02 * np.abs(first).max())


def test_activations_stay_in_floats(model, tmp_path):
    with pytest.raises(ValueError, match="keeps its activations in floats: use quantize 'dynamic'"):
        export_tflite(model, tmp_path, "int8", SOUNDS)


def test_logits_are_compared_step_by_step():
    expected = np.log([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    same = measure_logits("transcript", [(expected, expected)], "dynamic")
    assert (same.value, same.changed, same.passed) == (0.0, 0.0, True)
    got = np.log([[0.5, 0.3, 0.2], [0.7, 0.2, 0.1]])
    other = measure_logits("transcript", [(expected, got)], "dynamic")
    np.testing.assert_allclose(other.value, 0.35)  # 0.7 in one of two steps
    assert other.changed == 0.5 and not other.passed
    assert measure_logits("transcript", [(expected, got)], "none").value > 0.5
    assert not measure_logits("transcript", [(expected, expected * np.nan)], "dynamic").passed
