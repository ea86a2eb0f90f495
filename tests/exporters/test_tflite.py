"""TFLite files give what the Keras model gives, in operators that every device has."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import speechzoo
from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network import conversion, quantizers
from speechzoo.exporters.network.flatbuffer import (count_operators, custom_operators, in_layer, operator_name, parse,
                                                    serialize)
from speechzoo.exporters.network.int16 import quantize_int16
from speechzoo.exporters.network.quantization import (WEIGHTED, float_operators, constant, quantize_weights,
                                                      replace_data, symmetric_int8)
from speechzoo.exporters.parity import check_parity, measure_parity
from speechzoo.exporters.recordings import bundled_recordings, choose_different, read_recordings
from speechzoo.exporters.tflite import export_tflite
from tests.exporters.tiny_tflite import SOUNDS, tiny_tflite
from tests.helpers import tone, write_wav
from tests.model_checks import check_export
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def float32(tmp_path_factory):
    return tiny_tflite(tmp_path_factory)


def test_every_head_gives_what_keras_gives_at_any_length(float32):
    check_export(float32.path, tiny_model(), (0.01, 0.31, 1.0, 2.77))


def test_recognition_is_the_models(float32):
    audio = tone(1.0, 700, seed=4)
    assert EdgeModel(float32.path).recognize(audio).to_dict().keys() == tiny_model().recognize(audio).to_dict().keys()
    assert EdgeModel(float32.path).recognize(audio).keyword == tiny_model().recognize(audio).keyword


def test_only_builtin_operators_and_one_signature(float32):
    network = float32.path.read_bytes()
    assert custom_operators(network) == []
    assert float32.operators == count_operators(network)
    assert {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"} <= set(float32.operators)
    signature, = parse(network).signatureDefs
    assert signature.signatureKey == b"recognize"
    assert [tensor.name for tensor in signature.inputs] == [b"audio"]
    audio = parse(network).subgraphs[0].tensors[signature.inputs[0].tensorIndex]
    assert list(audio.shapeSignature) == [1, -1] and audio.type == schema.TensorType.FLOAT32


def test_spec_card_and_parity_are_inside(float32):
    artifact = read_artifact(float32.path)
    assert artifact.spec == tiny_model().spec and artifact.card == "# tiny\n" and artifact.quantize == "none"
    assert [row["head"] for row in artifact.parity] == list(tiny_model().heads)
    assert all(row["value"] <= row["tolerance"] == 1e-4 and row["utterances"] == 3 for row in artifact.parity)


def test_a_flatbuffer_survives_rewriting_with_aligned_buffers(float32, tmp_path):
    network = float32.path.read_bytes()
    rewritten = serialize(parse(network))
    root = schema.Model.GetRootAsModel(rewritten, 0)
    for index in range(root.BuffersLength()):
        if root.Buffers(index).DataLength():
            field = root.Buffers(index)._tab
            assert field.Vector(field.Offset(4)) % 16 == 0
    assert count_operators(rewritten) == count_operators(network)


@pytest.mark.parametrize("mode", ["float16", "dynamic"])
def test_smaller_weights_keep_the_answers(float32, mode, tmp_path):
    network = float32.path.read_bytes()
    smaller = quantize_weights(network, mode)
    assert len(smaller) < 0.8 * len(network)
    write_artifact(tmp_path / "m.tflite", smaller, read_artifact(float32.path))
    device, model = EdgeModel(tmp_path / "m.tflite"), tiny_model()
    rows = measure_parity([model.batch_outputs([audio])[0] for audio in SOUNDS[:2]],
                          device.batch_outputs(SOUNDS[:2]), model.spec, mode)
    check_parity(rows, mode)
    exact = measure_parity([model.batch_outputs([audio])[0] for audio in SOUNDS[:2]],
                           device.batch_outputs(SOUNDS[:2]), model.spec, "none")
    assert max(row.value for row in exact) > 1e-5  # something was quantized
    types = {schema.TensorType.INT8} if mode == "dynamic" else set()
    assert weight_types(smaller, "frontend") <= {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32}
    assert types <= weight_types(smaller, "backbone")


def weight_types(network, layer):
    """Types of the large stored tensors that operators of a layer read."""
    model = parse(network)
    graph = model.subgraphs[0]
    found = set()
    for operator in graph.operators:
        if operator_name(model, operator) != "DEQUANTIZE" and in_layer(graph.tensors[operator.outputs[0]].name, layer):
            for tensor in (graph.tensors[index] for index in operator.inputs if index >= 0):
                data = model.buffers[tensor.buffer].data
                if data is not None and len(data) >= 1024:
                    found.add(tensor.type)
    return found


def test_int8_has_int8_activations_outside_of_the_front_end(float32, tmp_path):
    written = export_tflite(tiny_model(), tmp_path, "int8", SOUNDS[:2], heads=["keyword", "speaker", "speech"])
    assert written.path.name == "tiny_int8.tflite"
    assert [row.head for row in written.parity] == ["keyword", "speaker", "speech"]
    assert set(EdgeModel(written.path).batch_outputs([SOUNDS[0]])[0]) == {"keyword", "speaker", "speech"}
    heard, expected = EdgeModel(written.path).recognize(SOUNDS[0]).speech, tiny_model().recognize(SOUNDS[0]).speech
    assert [segment.start for segment in heard] == [segment.start for segment in expected]
    model = parse(written.path.read_bytes())
    graph = model.subgraphs[0]
    results = {"frontend": set(), "backbone": set()}
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        for layer, types in results.items():
            if in_layer(output.name, layer) and operator_name(model, operator) in ("CONV_2D", "FULLY_CONNECTED", "MUL"):
                types.add(output.type)  # INT32 is the arithmetic of shapes
    assert results["frontend"] - {schema.TensorType.INT32} == {schema.TensorType.FLOAT32}
    assert schema.TensorType.INT8 in results["backbone"]
    assert len(float_operators(float32.path.read_bytes())) > 50


def outputs_of(network, like, path):
    """Every head's output for two sounds, of a network that is written beside the settings of another file."""
    write_artifact(path, network, read_artifact(like))
    device = EdgeModel(path)
    return device.batch_outputs(SOUNDS[:2])


def test_int16_activations_add_nothing_to_the_error_of_int8_weights(float32, tmp_path):
    """Against float32 arithmetic with the very weights that int8 can hold."""
    network = float32.path.read_bytes()
    quantized = quantize_int16(network, [("recognize", {"audio": audio[None]}) for audio in SOUNDS])
    rounded = parse(network)
    graph = rounded.subgraphs[0]
    for operator in graph.operators:
        name = operator_name(rounded, operator)
        weights = constant(rounded, graph, operator.inputs[1]) if name in WEIGHTED else None
        if weights is not None and not in_layer(graph.tensors[operator.outputs[0]].name, "frontend"):
            values, scale = symmetric_int8(weights, WEIGHTED[name])
            shape = np.where(np.arange(weights.ndim) == WEIGHTED[name], -1, 1)
            replace_data(rounded, graph.tensors[operator.inputs[1]], values * scale.reshape(shape))
    exact, expected, got = (outputs_of(each, float32.path, tmp_path / "m.tflite")
                            for each in (serialize(parse(network)), serialize(rounded), quantized))
    for sound in range(2):
        for head in tiny_model().heads:
            error = np.abs(expected[sound][head] - exact[sound][head]).max()
            assert np.abs(got[sound][head] - expected[sound][head]).max() < 0.2 * error, head
    model = parse(quantized)
    graph = model.subgraphs[0]
    products = {layer: [operator for operator in graph.operators if operator_name(model, operator) in WEIGHTED
                        and in_layer(graph.tensors[operator.outputs[0]].name, layer)]
                for layer in ("frontend", "backbone")}
    in_float = {layer: sum(constant(model, graph, operator.inputs[1]) is not None for operator in operators)
                for layer, operators in products.items()}
    assert in_float == {"frontend": len(products["frontend"]), "backbone": 0}
    types = [graph.tensors[operator.inputs[0]].type for operator in products["backbone"]]
    assert types.count(schema.TensorType.INT16) >= 10
    assert len(quantized) < len(network) and custom_operators(quantized) == []


def test_names_of_layers():
    assert in_layer(b"frontend_1/Square", "frontend") and in_layer(b"frontend/MatMul;other", "frontend")
    assert not in_layer(b"backbone/frontend2/x", "frontend") and not in_layer(b"frontends/x", "frontend")


def test_a_head_beyond_tolerance_is_named_and_nothing_is_written(float32, tmp_path, monkeypatch):
    class Wrong(EdgeModel):
        def batch_outputs(self, audios, heads=None):
            return [{**outputs, "keyword": outputs["keyword"] * np.float32(1 + 2e-4)}
                    for outputs in super(Wrong, self).batch_outputs(audios, heads)]

    monkeypatch.setattr("speechzoo.exporters.tflite.EdgeModel", Wrong)
    monkeypatch.setattr("speechzoo.exporters.tflite.convert", lambda *_: (float32.path.read_bytes(), []))
    with pytest.raises(ExportError, match="tiny.tflite, recognize: head 'keyword' is too far from the Keras model"):
        export_tflite(tiny_model(), tmp_path, representative=SOUNDS[:1])
    assert list(tmp_path.iterdir()) == []


def test_a_killed_converter_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion.sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\nkill -SEGV $$\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(ExportError, match="int8.*killed .SIGSEGV") as caught:
        conversion.convert(tmp_path, quantizers.int8, [])
    assert "\n" not in str(caught.value)
    (tmp_path / "python").write_text("#!/bin/sh\necho noise >&2\necho 'ValueError: no such operator' >&2\nexit 1\n")
    with pytest.raises(ExportError, match="float32: the converter failed: ValueError: no such operator"):
        conversion.convert(tmp_path, quantizers.float32, [])


def test_wrong_arguments_name_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'int8'"):
        speechzoo.export(tiny_model(), tmp_path, format="tflite", quantize="int4")
    with pytest.raises(ValueError, match="unknown format 'tflight'; did you mean 'tflite'"):
        speechzoo.export(tiny_model(), tmp_path, format="tflight")
    with pytest.raises(ValueError, match="no head 'intent'"):
        speechzoo.export(tiny_model(), tmp_path, format="tflite", heads=["intent"])
    with pytest.raises(ValueError, match="option 'quantize' is for format 'tflite', not for 'saved_model'"):
        speechzoo.export(tiny_model(), tmp_path, format="saved_model", quantize="int8")


def test_different_recordings_are_chosen():
    usual = [tone(0.5, 300, seed=seed) for seed in range(20)]
    silent, noise = 1e-4 * usual[0], np.random.default_rng(1).standard_normal(8000).astype(np.float32) / 9
    recordings = [*usual, silent, *usual, noise, tone(3.0, 300, seed=1), *usual]
    labels = ["yes"] * 62 + ["no"]
    chosen = choose_different(recordings, labels, 16000, 5)
    assert {20, 41, 42, 62} <= set(chosen) and len(chosen) == 5
    assert chosen == choose_different(recordings, labels, 16000, 5)
    assert choose_different(usual, ["yes"] * 20, 16000, 32) == list(range(20))


def test_recordings_come_from_every_part_of_a_manifest(tmp_path):
    from speechzoo.data.manifest import write_manifest

    for number in range(40):
        write_wav(tmp_path / f"{number}.wav", tone(0.05 + 0.001 * number))
    write_manifest(tmp_path / "m.jsonl", [{"audio": f"{number}.wav"} for number in range(40)])
    recordings = read_recordings(tmp_path / "m.jsonl", 16000)
    assert len(recordings) == 32 and len(recordings[0]) == 800 and len(recordings[-1]) == 800 + 16 * 39  # in order
    assert [len(audio) > 16000 for audio in bundled_recordings(16000)] == [True] * 6
