"""Files that hear step by step: streamed equals offline on the device too, in one file with several signatures."""

import functools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from speechzoo.cli import main
from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters import export
from speechzoo.exporters.network.flatbuffer import custom_operators, parse, signature_graphs
from speechzoo.exporters.network.macs import count_tflite_macs
from speechzoo.exporters.network.quantization import quantize_weights
from speechzoo.exporters.tflite import export_tflite
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import CTCHead, ClassifierHead, EnhancementHead
from speechzoo.multitask.model import MultiTaskModel
from tests.edge.test_edge_model import BLOCKER
from tests.exporters.side_by_side import SideBySide
from tests.helpers import spread_weights, tone
from tests.model_checks import check_export, check_streaming, stepper
from tests.tiny_models import streaming_model, tiny_model
from tests.tiny_parts import STREAMING

SOUNDS = [tone(0.7, 300, seed=1), tone(1.1, 900, seed=2)]
# Those beside the Conformer, which has a file of its own; blocks that repeat take long to convert.
OTHERS = {
    "ds_cnn": {"channels": 6, "num_blocks": 1},
    "bc_resnet": {"width": 4, "stage_blocks": [1, 1, 1, 1], "bands": 2},
    "crdnn": {"channels": [4], "lstm_size": 6, "num_blocks": 1, "dense_size": 8, "dense_layers": 1, "subsampling": 2},
    "grouped_gru": {"size": 8, "num_blocks": 1, "groups": 2},
    "lstm": {"size": 6},
}


@functools.cache
def several():
    """A model that can stream with two heads for each of the other backbones."""
    keras.utils.set_random_seed(1)
    heads, blocks = {}, {}
    for number, name in enumerate(OTHERS, 1):
        heads[f"{name}_letters"], heads[f"{name}_class"] = CTCHead(["a", "b"], name=f"{name}_letters"), ClassifierHead(
            ["a", "b", "c"], memory=10, name=f"{name}_class")
        blocks.update({f"{name}_letters": number, f"{name}_class": number})
    heads["gains"] = EnhancementHead(bands=5, name="gains")
    blocks["gains"] = 1 + list(OTHERS).index("grouped_gru")
    frontend = FRONTENDS["log_mel"](num_mel_bins=16, causal=True, name="frontend")
    backbones = SideBySide(OTHERS, causal=True, name="backbone")
    model = MultiTaskModel(frontend, backbones, heads, blocks, name="several_streaming")
    spread_weights(model)
    return model


@pytest.fixture(scope="module")
def conformer(tmp_path_factory):
    return export_tflite(streaming_model("conformer"), tmp_path_factory.mktemp("stream"), "none", SOUNDS).path


def check_streams(device, model, seed=1):
    """Two streams at once, cut at random."""
    samples = 5 * device.spec["stream"]["step_samples"] + 99
    audio = np.stack([tone(1.3, 700, seed=3)[:samples], tone(1.3, 440, seed=4)[:samples]])
    cuts = np.sort(np.random.default_rng(seed).integers(0, samples, 9))
    check_streaming(device, audio, cuts, model, after=(1, 3, 5))


def test_a_file_streams_what_keras_hears_offline(conformer):
    check_streams(EdgeModel(conformer), streaming_model("conformer"))


def test_every_other_backbone_streams_in_a_file(tmp_path):
    assert {"conformer", *OTHERS} == set(STREAMING)
    path = export_tflite(several(), tmp_path, "none", SOUNDS).path
    check_export(path, several())
    check_streams(EdgeModel(path), several(), seed=2)


def test_signatures_share_their_weights(conformer):
    network = conformer.read_bytes()
    assert custom_operators(network) == []
    model = parse(network)
    assert set(signature_graphs(model)) == {"recognize", "stream_step", "keyword", "embed"}
    large = [bytes(buffer.data) for buffer in model.buffers if buffer.data is not None and len(buffer.data) >= 256]
    assert len(large) == len(set(large)) > 20
    operators = {name: len(model.subgraphs[number].operators) for name, number in signature_graphs(model).items()}
    # The heads of keyword and embed read the first of two blocks.
    assert operators["keyword"] < 0.75 * operators["recognize"] and operators["embed"] < 0.75 * operators["recognize"]


def test_the_early_exit_answers_as_the_whole_does(conformer):
    device = EdgeModel(conformer)
    whole = device.batch_outputs([SOUNDS[1]])[0]
    assert set(whole) == set(device.spec["heads"])
    for head in ("keyword", "speaker"):
        alone = device.batch_outputs([SOUNDS[1]], [head])[0]
        assert set(alone) == {head}
        np.testing.assert_allclose(alone[head], whole[head], atol=1e-6)
    assert set(device.batch_outputs([SOUNDS[1]], ["keyword", "speaker"])[0]) == set(device.spec["heads"])
    assert device.recognize(SOUNDS[1], heads=["keyword"]).keyword == device.recognize(SOUNDS[1]).keyword
    assert count_tflite_macs(conformer) > 1000


def test_the_state_is_explicit_and_starts_as_zeros(conformer):
    device, model = EdgeModel(conformer), streaming_model("conformer")
    zeros = device.initial_state()
    assert {name: value.shape for name, value in zeros.items()} == {
        name: value.shape for name, value in model.initial_state().items()}
    assert not any(value.any() for value in zeros.values())
    with pytest.raises(ValueError, match="the state has 'other': it is that of another model"):
        device.stream_step(np.zeros((1, 1280), np.float32), {**zeros, "other": zeros["backbone_heard"]})
    del zeros["backbone_heard"]
    with pytest.raises(ValueError, match="the state lacks 'backbone_heard'"):
        device.stream_step(np.zeros((1, 1280), np.float32), zeros)


def test_events_of_a_file(conformer):
    device = EdgeModel(conformer)
    stream = device.stream(threshold=0.5)
    audio = np.concatenate([tone(2.0, 500, seed=5), np.zeros(16000, np.float32)])
    events = [event for piece in np.array_split(audio, 37) for event in stream.feed(piece)] + stream.finish()
    assert events and {event.kind for event in events} <= {"partial", "utterance", "keyword"}
    offline = device.recognize(audio)
    assert any(event.kind == "utterance" for event in events) or not offline.transcript


def test_a_device_streams_without_tensorflow(conformer):
    code = BLOCKER + f"""
import numpy as np
from speechzoo.cli import main
import speechzoo
stream = speechzoo.EdgeModel({str(conformer)!r}).stream()
stream.feed(np.zeros(5000, np.float32))
stream.finish()
print(stream.seconds)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert float(child.stdout) == pytest.approx(5120 / 16000)


def test_smaller_weights_stream_too(conformer, tmp_path):
    path = tmp_path / "m.tflite"
    write_artifact(path, quantize_weights(conformer.read_bytes(), "float16"), read_artifact(conformer))
    device, exact = EdgeModel(path), EdgeModel(conformer)
    step = device.spec["stream"]["step_samples"]
    for outputs, expected in zip(stepper(device).feed(SOUNDS[1][:4 * step]), stepper(exact).feed(SOUNDS[1][:4 * step])):
        for head in outputs:
            np.testing.assert_allclose(outputs[head], expected[head], atol=0.05, err_msg=head)


@pytest.mark.slow
def test_int8_multiplies_in_int8_and_keeps_its_state_in_float32(tmp_path):
    """That its streams are as good as the Keras model is measured by the export itself."""
    written = export_tflite(streaming_model("conformer"), tmp_path, "int8", SOUNDS[:1],
                            heads=["letters", "keyword", "speaker"], signatures=["stream_step", "keyword"])
    model = parse(written.path.read_bytes())
    for name, number in signature_graphs(model).items():
        graph = model.subgraphs[number]
        types = {graph.tensors[operator.outputs[0]].type for operator in graph.operators}
        assert schema.TensorType.INT8 in types, name
        assert {graph.tensors[index].type for index in [*graph.inputs, *graph.outputs]} == {schema.TensorType.FLOAT32}


def test_signatures_are_a_choice(conformer, tmp_path):
    with pytest.raises(ValueError, match="the model has no signature 'stream_step'; it has: recognize, keyword, embed"):
        export(tiny_model(), tmp_path, format="tflite", signatures=["stream_step"])
    with pytest.raises(ValueError, match="option 'signatures' is for format 'tflite'"):
        export(tiny_model(), tmp_path, signatures=["keyword"])


def test_show_and_benchmark_of_a_file(conformer, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["show", str(conformer)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "signature stream_step samples, and 16 tensors of state -> letters, keyword" in shown
    assert "signature keyword audio -> keyword" in shown and "steps of 1280 samples (80 ms)" in shown
    with pytest.raises(SystemExit):
        main(["show", str(conformer), "--classes"])
    assert capsys.readouterr().out.startswith("letters (")
    with pytest.raises(SystemExit):
        main(["benchmark", str(conformer), "--seconds", "0.5", "--repeats", "2", "--json", str(tmp_path / "b.json")])
    assert "stream: steps of 80 ms, 1 threads" in capsys.readouterr().out
    figures = json.loads((tmp_path / "b.json").read_text())["streams"][0]
    assert figures["latency_ms"] >= 80 and figures["median_ms"] > 0
