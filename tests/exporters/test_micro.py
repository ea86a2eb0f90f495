"""`--format micro`: the sources of a microcontroller's model, compiled and run on this computer."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speechzoo.exporters import export
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.micro import MicroModel, export_micro
from speechzoo.exporters.micro.arena import estimate_arena
from speechzoo.exporters.micro.operators import check_operators, resolver_method
from speechzoo.exporters.network.flatbuffer import operator_name, parse, schema, serialize
from speechzoo.exporters.selection import keep_heads
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny

KIT = Path(__file__).parents[2] / "export" / "micro"
CONFIG = tiny("tiny", {"type": "log_mel", "hop_seconds": 0.02, "window_seconds": 0.032, "transform": "fft"},
              {"type": "ds_cnn", "channels": 8, "num_blocks": 1},
              {"keyword": {"classes": ["yes", 'say "no"', "_unknown_"]}, "gender": {}, "phones": {}})
HEADS = ["keyword", "gender"]
SOUNDS = [tone(1.6, 300, seed=1), tone(1.1, 900, seed=2), tone(0.3, 2000, seed=3)]


@pytest.fixture(scope="module")
def model():
    model = build(CONFIG, spread=False)
    model.frontend.adapt([(audio[None], np.array([len(audio)])) for audio in SOUNDS])
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.3 * random.standard_normal(variable.shape))
    return model


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    return export_micro(model, tmp_path_factory.mktemp("exported"), SOUNDS, HEADS)


@pytest.fixture(scope="module")
def network(written):
    return (written.path / "tiny.tflite").read_bytes()


@pytest.fixture(scope="module")
def micro(model, network):
    return MicroModel(network, keep_heads(model, HEADS))


@pytest.fixture(scope="module")
def harness(written, tmp_path_factory):
    """The kit, built for this computer: arguments -> completed process."""
    for program in ("make", "cc", "c++"):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this computer, so the C sources can't be compiled")
    build = tmp_path_factory.mktemp("build")
    subprocess.run(["make", "-C", KIT, f"MODEL={written.path}", f"BUILD={build}", "CFLAGS=-O1 -Wall -Wextra -Werror",
                    "CXXFLAGS=-O0 -Wall -Wextra -Werror"], check=True, capture_output=True)
    return lambda *arguments: subprocess.run([build / "speechzoo_micro", *arguments], capture_output=True, text=True)


def test_the_network_is_int8_from_features_to_answers(written, network):
    graph, = parse(network).subgraphs
    names = schema.TensorType
    assert {tensor.type for tensor in graph.tensors} == {names.INT8, names.INT32}  # INT32: biases, shapes
    assert [list(graph.tensors[index].shape) for index in graph.inputs] == [[1, 50, 16]]
    assert written.operators == check_operators(network) and {"CONV_2D", "RSQRT"} <= set(written.operators)
    assert [row.head for row in written.parity] == ["keyword", "gender"] and all(row.passed for row in written.parity)
    report = json.loads((written.path / "report.json").read_text())
    assert report["network_bytes"] == len(network) and report["macs"] == written.macs > 1e5


def test_the_sources_hold_the_network_and_its_labels(written, network):
    text = (written.path / "model_data.cc").read_text()
    assert bytes(int(number) for number in re.findall(r"\b(\d+),", text)) == network
    settings = (written.path / "model_settings.h").read_text()
    assert r'{"yes", "say \"no\"", "_unknown_"}' in settings
    assert "(resolver).AddDepthwiseConv2D();" in settings and "#define SPEECHZOO_NUM_FRAMES 50" in settings
    order = re.findall(r'^    \{"(\w+)", (\d)', settings, re.MULTILINE)
    graph = parse(network).subgraphs[0]
    assert [int(count) for _, count in order] == [graph.tensors[index].shape[-1] for index in graph.outputs]


def test_c_gives_the_same_features_bit_for_bit(harness, micro, tmp_path):
    random = np.random.default_rng(5)
    samples = np.concatenate([*(np.rint(32767 * audio) for audio in SOUNDS), np.full(1000, -32768), np.zeros(777),
                              random.integers(-32768, 32768, 4001), random.integers(-3, 4, 3000)]).astype(np.int16)
    samples.tofile(tmp_path / "a.raw")
    write_wav(tmp_path / "a.wav", samples)
    for name in ("a.raw", "a.wav"):
        result = harness("--features", tmp_path / name)
        got = np.array([line.split() for line in result.stdout.splitlines()], int)
        np.testing.assert_array_equal(got, micro.frontend(samples))


@pytest.mark.parametrize(("content", "message"), [
    (None, "can't be opened"), (b"RIFF\0\0\0\0WAVEfmt ", "a WAV file without samples"),
    (b"RIFF\0\0\0\0WAVEdata\4\0\0\0\1\0\2\0", "doesn't say how its samples are stored"),
    (b"fLaC", "neither a WAV file nor a .raw file"), ("stereo", "must be 16-bit PCM, mono, at 16000 Hz"),
])
def test_a_recording_that_the_harness_cannot_read(harness, tmp_path, content, message):
    path = tmp_path / "a.wav"
    if content == "stereo":
        write_wav(path, np.zeros((100, 2), np.float32))
    elif content is not None:
        path.write_bytes(content)
    result = harness("--features", path)
    assert result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1
    (tmp_path / "a.raw").write_bytes(bytes(2000))
    assert "make TFLM_DIR" in harness(tmp_path / "a.raw").stderr  # no answers without the interpreter


def test_tensorflow_lite_micro_runs_it_in_the_estimated_arena(network, micro, capfd):
    runtime = pytest.importorskip("tflite_micro", reason="pip install speechzoo[micro]").runtime
    features = micro.frontend((32767 * SOUNDS[0][:16000]).astype(np.int16))
    interpreter = runtime.Interpreter.from_bytes(network, arena_size=1 << 20)
    interpreter.set_input(features[None], 0)
    interpreter.invoke()
    interpreter.print_allocations()
    used = int(re.search(r"Arena allocation total (\d+) bytes", capfd.readouterr().err)[1])
    assert abs(estimate_arena(network) / used - 1) < 0.1
    assert micro.runtime == "TensorFlow Lite Micro"
    for number, logits in enumerate(micro.run(features)):
        np.testing.assert_array_equal(logits, interpreter.get_output(number)[0])


def test_litert_differs_by_a_step_at_most(network, micro, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    litert = MicroModel(network, keep_heads(model, HEADS))
    assert litert.runtime == "LiteRT"
    (expected,), (got,) = (each.batch_outputs([SOUNDS[1]]) for each in (litert, micro))
    for head, logits in expected.items():
        np.testing.assert_allclose(logits, got[head], atol=2.01 * litert.quantization[head][0])


def test_an_operator_that_a_microcontroller_lacks_is_named(network):
    model = parse(network)
    code = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.RSQRT)
    for builtin, message in ((schema.BuiltinOperator.SQRT, "operator SQRT computes in INT8.* has this one in FLOAT32"),
                             (schema.BuiltinOperator.RANGE, "operator RANGE: TensorFlow Lite Micro doesn't have it")):
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        with pytest.raises(ExportError, match=message):
            check_operators(serialize(model))
    model = parse(network)
    graph = model.subgraphs[0]
    dequantize = next(item for item in graph.operators if operator_name(model, item) == "SOFTMAX")
    graph.tensors[dequantize.outputs[0]].type = schema.TensorType.FLOAT32
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(code)
    dequantize.opcodeIndex, dequantize.builtinOptions = len(model.operatorCodes) - 1, None
    dequantize.builtinOptionsType = 0
    behind = next(item for item in graph.operators if item.inputs[0] == dequantize.outputs[0])
    message = f"operator {operator_name(model, behind)} computes in FLOAT32; all must compute in INT8"
    with pytest.raises(ExportError, match=message):
        check_operators(serialize(model))
    assert resolver_method("BATCH_TO_SPACE_ND") == "AddBatchToSpaceNd" and resolver_method("CONV_2D") == "AddConv2D"


def test_heads_that_a_microcontroller_cannot_have(model, tmp_path):
    with pytest.raises(ValueError, match="head 'phones' is of type ctc; a micro export has classifier heads only"):
        export(model, tmp_path, format="micro")
    with pytest.raises(ValueError, match="a window of 60 s; it may be 0.2 to 10 s long"):
        export_micro(model, tmp_path, SOUNDS, HEADS, window_seconds=60)
    with pytest.raises(ValueError, match="option 'quantize' is for format 'tflite', not for 'micro'"):
        export(model, tmp_path, format="micro", quantize="int8")
    assert not list(tmp_path.iterdir())


def test_a_head_beyond_tolerance_is_named_and_nothing_is_written(model, network, tmp_path, monkeypatch):
    monkeypatch.setattr("speechzoo.exporters.micro.micro_export.write_saved_model", lambda *_: None)
    monkeypatch.setattr("speechzoo.exporters.micro.micro_export.convert", lambda *_: (network, []))
    monkeypatch.setattr(MicroModel, "run", lambda self, _: [np.int8([-128, 127, 0][:len(classes)])
                                                            for classes in self.heads.values()])
    with pytest.raises(ExportError, match="tiny_micro: head '.*' is too far from the Keras model"):
        export_micro(model, tmp_path, SOUNDS, HEADS)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_it_costs(written, capsys, monkeypatch):
    from speechzoo.cli import main

    monkeypatch.setattr("speechzoo.exporters.export", lambda *_, **__: written.path)
    with pytest.raises(SystemExit) as finished:
        main(["export", "tiny", "--format", "micro", "--out", "x"])
    shown = capsys.readouterr().out
    assert finished.value.code == 0, shown
    assert f"network {written.network_bytes:,} bytes, arena about {written.arena_bytes:,} bytes" in shown
    assert "probability lost" in shown and "runs in 20 million" in shown
