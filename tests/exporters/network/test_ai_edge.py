"""ai-edge-quantizer as the second way to integers: the same answers, the same layers in float32."""

import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters import export
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.ai_edge import quantize_ai_edge
from speechzoo.exporters.network.flatbuffer import custom_operators, in_layer, operator_name, parse
from speechzoo.exporters.network.quantization import WEIGHTED, float_operators, symmetric_int8
from speechzoo.exporters.parity import check_parity, measure_parity
from speechzoo.exporters.tflite import export_tflite
from tests.exporters.tiny_tflite import SOUNDS, tiny_tflite
from tests.tiny_models import tiny_model

CALLS = [("recognize", {"audio": audio[None]}) for audio in SOUNDS[:2]]
ACTIVATIONS = {"dynamic": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int16x8": schema.TensorType.INT16}


@pytest.fixture(scope="module")
def float32(tmp_path_factory):
    pytest.importorskip("ai_edge_quantizer", reason="needs the extra [quantization]")
    return tiny_tflite(tmp_path_factory)


@pytest.mark.parametrize("mode", ACTIVATIONS)
def test_products_behind_the_front_end_are_integers_and_answers_stay(float32, mode, tmp_path):
    network = float32.path.read_bytes()
    smaller = quantize_ai_edge(network, mode, [] if mode == "dynamic" else CALLS)
    write_artifact(tmp_path / "m.tflite", smaller, read_artifact(float32.path))
    device, model = EdgeModel(tmp_path / "m.tflite"), tiny_model()
    rows = measure_parity([model.batch_outputs([audio])[0] for audio in SOUNDS[:2]],
                          device.batch_outputs(SOUNDS[:2]), model.spec, mode)
    check_parity(rows, "m.tflite")
    assert any(row.value > 0 for row in rows)
    parsed = parse(smaller)
    graph = parsed.subgraphs[0]
    seen = 0
    for operator in graph.operators:
        if operator_name(parsed, operator) not in WEIGHTED:
            continue
        inputs, weights = (graph.tensors[tensor] for tensor in operator.inputs[:2])
        stays = in_layer(graph.tensors[operator.outputs[0]].name, "frontend")
        assert inputs.type == (schema.TensorType.FLOAT32 if stays else ACTIVATIONS[mode])
        if parsed.buffers[weights.buffer].data is not None:
            assert weights.type == (schema.TensorType.FLOAT32 if stays else schema.TensorType.INT8)
            seen += not stays
    assert seen > 10 and not custom_operators(smaller)


def test_weights_are_rounded_as_ours_are(float32):
    network = float32.path.read_bytes()
    before, after = parse(network), parse(quantize_ai_edge(network, "dynamic"))
    ours = {}
    for tensor in before.subgraphs[0].tensors:
        data = before.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) and len(tensor.shape) == 2:
            ours[tensor.name] = symmetric_int8(np.asarray(data).view(np.float32).reshape(tensor.shape), axis=0)
    compared = 0
    for tensor in after.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8 and tensor.name in ours:
            values, scale = ours[tensor.name]
            theirs = np.asarray(after.buffers[tensor.buffer].data).view(np.int8).reshape(tensor.shape)
            np.testing.assert_allclose(tensor.quantization.scale, scale, rtol=1e-5)
            np.testing.assert_allclose(theirs, values, atol=1)
            compared += 1
    assert compared > 5


def test_layers_can_stay_in_float32(float32):
    network = float32.path.read_bytes()
    kept_float = float_operators(network)
    parsed = parse(network)
    graph = parsed.subgraphs[0]
    head = [graph.tensors[output].name.decode() for operator in graph.operators for output in operator.outputs
            if in_layer(graph.tensors[output].name, "speaker")]
    smaller = parse(quantize_ai_edge(network, "int8", CALLS, kept_float + head))
    kinds = {smaller.subgraphs[0].tensors[operator.inputs[1]].type for operator in smaller.subgraphs[0].operators
             if operator_name(smaller, operator) == "FULLY_CONNECTED"
             and in_layer(smaller.subgraphs[0].tensors[operator.outputs[0]].name, "speaker")}
    assert kinds == {schema.TensorType.FLOAT32}


def test_export_writes_such_a_file(float32, tmp_path):
    exported = export_tflite(tiny_model(), tmp_path, "int8", representative=SOUNDS, quantizer="ai-edge",
                             signatures=["embed"])
    device = EdgeModel(exported.path)
    assert device.run("embed", audio=SOUNDS[0][None])["speaker"].shape == (1, 6)
    assert read_artifact(exported.path).quantize == "int8"
    assert {row.head for row in exported.parity} == set(tiny_model().heads)


def test_bad_choices(float32, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown quantizer 'aiedge'; did you mean 'ai-edge'"):
        export(tiny_model(), tmp_path, "tflite", "int8", quantizer="aiedge")
    with pytest.raises(ValueError, match="'float16' has none; choose 'dynamic'"):
        export(tiny_model(), tmp_path, "tflite", "float16", quantizer="ai-edge")
    with pytest.raises(ValueError, match="option 'quantizer' is for format 'tflite', not for 'saved_model'"):
        export(tiny_model(), tmp_path, "saved_model", quantizer="ai-edge")
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer.calibrator", None)
    with pytest.raises(ExportError, match=r"pip install 'speechzoo\[quantization\]'"):
        quantize_ai_edge(float32.path.read_bytes(), "dynamic")
