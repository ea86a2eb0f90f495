"""`--format esphome`: a wake word's network and manifest, run step by step as the device runs them."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.exporters import export
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.esphome import EsphomeModel, export_esphome
from speechzoo.exporters.esphome.esphome_export import OPERATORS, check_network
from speechzoo.exporters.esphome.esphome_model import quantize_features
from speechzoo.exporters.network.flatbuffer import parse, schema, serialize
from speechzoo.registry import load
from tests.helpers import ORIGIN, tone
from tests.tiny_models import build, tiny

CONFIG = tiny(
    "tiny_streaming", "micro_features",
    {"type": "ds_cnn", "causal": True, "channels": 8, "num_blocks": 1, "stride_frames": 4},
    {"keyword": {"type": "spotter", "classes": ["alexa", "hey jarvis", "_unknown_", "_silence_"], "window": 5},
     "gender": {}})
WORD = "hey jarvis"
WORDS = Path(__file__).parents[2] / "export" / "esphome" / "models"


def bursts(frequency, seed):
    """A second and a half of tones that come and go in noise."""
    random = np.random.default_rng(seed)
    return tone(1.5, frequency, seed=seed) * np.repeat(random.uniform(0, 1, 15) ** 3, 1600).astype(np.float32)


SOUNDS = [bursts(300, 1), bursts(900, 2), bursts(2500, 3)]


@pytest.fixture(scope="module")
def model():
    model = build(CONFIG, spread=False)
    for _ in range(30):  # batch norms see what they will hear
        for audio in SOUNDS:
            model.backbone(model.frontend(audio[None], None)[0], None, training=True)
    head = model.heads["keyword"]
    head.logits.kernel.assign(4 * np.asarray(head.logits.kernel))
    head.logits.bias.assign([0.5, 0.0, -0.5, 0.2])
    model.origin = ORIGIN
    return model


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    return export_esphome(model, tmp_path_factory.mktemp("exported"), WORD, SOUNDS)


@pytest.fixture(scope="module")
def network(written):
    return written.path.with_suffix(".tflite").read_bytes()


def features_of(model, audio):
    return np.asarray(model.frontend(audio[None], None)[0])[0]


def softmax_of(model, audio, word):
    """Probabilities of a word by the head's softmax, from Keras's own stream: float32 (steps,)."""
    from speechzoo.layers.stream_state import StreamState

    state, answers = StreamState(), []
    for start in range(0, len(audio) // 640 * 640, 640):
        hears = StreamState(state.new or None)
        features, _ = model.frontend(audio[None, start:start + 640], None, state=hears.within("frontend"))
        frames, _ = model.backbone(features, None, state=hears.within("backbone"))
        logits = model.heads["keyword"].window_logits(frames[-1], state=hears.within("keyword"))
        answers.append(np.asarray(keras.ops.softmax(logits))[0, -1])
        state = hears
    return np.array(answers)[:, model.heads["keyword"].classes.index(word)]


def test_the_manifest_is_what_esphome_validates(written):
    manifest = json.loads(written.path.read_text())
    assert written.path.name == "hey_jarvis.json" and (written.path.parent / manifest["model"]).is_file()
    assert manifest["type"] == "micro" and manifest["version"] == 2 and manifest["wake_word"] == WORD
    assert manifest["trained_languages"] == ["en"] and manifest["author"]
    micro = manifest["micro"]
    assert set(micro) == {"probability_cutoff", "feature_step_size", "sliding_window_size", "tensor_arena_size",
                          "minimum_esphome_version"}
    assert micro["feature_step_size"] == 10 and 0 < micro["probability_cutoff"] < 1
    assert micro["tensor_arena_size"] == written.arena_bytes


def test_the_licence_of_the_weights_lies_beside_it(written):
    report = json.loads(written.path.with_name("hey_jarvis_report.json").read_text())
    assert {"licence": report["licence"], "derived_from": report["derived_from"]} == ORIGIN.summary()
    assert written.path.with_name("hey_jarvis_licences.txt").read_text() == ORIGIN.notices()


def test_the_network_is_what_esphome_loads(written, network):
    model, types = parse(network), schema.TensorType
    graph = model.subgraphs[0]
    (features,), (probability,) = graph.inputs, graph.outputs
    features, probability = graph.tensors[features], graph.tensors[probability]
    assert (list(features.shape), features.type) == ([1, 4, 40], types.INT8)
    assert (list(probability.shape), probability.type) == ([1, 1], types.UINT8)
    assert features.quantization.scale[0] == 26 / 256 and features.quantization.zeroPoint[0] == -128
    assert probability.quantization.scale[0] == 1 / 256 and probability.quantization.zeroPoint[0] == 0
    assert {tensor.type for tensor in graph.tensors} <= {types.INT8, types.UINT8, types.INT32, types.RESOURCE}
    assert set(written.operators) <= OPERATORS and {"CALL_ONCE", "READ_VARIABLE"} <= set(written.operators)
    assert written.step_seconds == 0.04 and written.network_bytes == len(network)
    assert json.loads(written.path.with_name("hey_jarvis_report.json").read_text())["macs_per_second"] > 1e5


def test_it_says_what_the_head_says(model, written, network):
    row, = written.parity
    assert row.passed and row.utterances == len(SOUNDS) and row.head == "keyword"
    runner, spread = EsphomeModel(network), []
    for audio in SOUNDS:
        got, expected = runner.probabilities(features_of(model, audio)), softmax_of(model, audio, WORD)
        spread += list(expected)
        # Against the strongest rival alone a word stands better than in a softmax of four, by log(3) at most.
        odds, softmax_odds = (np.log(values / (1 - values)) for values in (np.clip(got, 0.02, 0.98), expected))
        certain = (softmax_odds > -3) & (softmax_odds < 2)
        assert certain.any() and (odds - softmax_odds)[certain].min() > -0.4
        assert (odds - softmax_odds)[certain].max() < np.log(3) + 0.4
    assert np.ptp(spread) > 0.2


@pytest.mark.parametrize("word", ["alexa", "computer", "jarvis", "snowboy"])
def test_the_words_that_come_along_are_those_of_the_checkpoint(word):
    manifest = json.loads((WORDS / f"{word}.json").read_text())
    network = (WORDS / manifest["model"]).read_bytes()
    check_network(network)
    assert manifest["wake_word"] == word and 0 < manifest["micro"]["probability_cutoff"] < 1
    model = load("wake_ds_cnn_micro_streaming")
    head = model.heads["keyword"]
    own = head.classes.index(word)

    def margins(features):
        frames, _ = model.backbone(features[None], None)
        logits = head.window_logits(frames[model.blocks["keyword"] - 1])[0]
        return logits[:, own] - tf.reduce_max(tf.concat([logits[:, :own], logits[:, own + 1:]], axis=1), axis=1)

    # What the checkpoint takes for the word, found by going up its gradient from noise.
    features = tf.Variable(np.random.default_rng(4).uniform(0, 12, (160, 40)).astype(np.float32))
    quiet = EsphomeModel(network).probabilities(features.numpy())
    optimizer = keras.optimizers.Adam(0.3)
    for _ in range(80):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(tf.minimum(margins(features), 4.0))
        optimizer.apply_gradients([(tape.gradient(loss, features), features)])
        features.assign(tf.clip_by_value(features, 0.0, 26.0))
    expected = tf.sigmoid(margins(features)).numpy()
    heard = EsphomeModel(network).probabilities(features.numpy())
    assert quiet.max() < 0.3 < 0.8 < expected.max() and heard.max() > 0.7
    assert np.abs(heard - expected).mean() < 0.1


def test_it_remembers_and_begins_with_nothing(model, network):
    runner = EsphomeModel(network)
    features = features_of(model, SOUNDS[1])
    whole = runner.probabilities(features)
    np.testing.assert_array_equal(runner.probabilities(features), whole)  # started again
    late = runner.probabilities(features[80:])
    assert (late[:5] != whole[20:25]).any()
    np.testing.assert_array_equal(late[8:], whole[28:])  # 0.1 s of features, 2 frames, 5 frames: all has passed


def test_features_round_as_esphome_rounds_them():
    whole = np.arange(0, 700)
    expected = np.minimum((whole * 256 + 333) // 666 - 128, 127)
    np.testing.assert_array_equal(quantize_features(whole * 0.0390625), expected)


def test_litert_is_what_measures_elsewhere(model, written, network, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    litert = EsphomeModel(network)
    assert litert.runtime == "LiteRT"
    features = features_of(model, SOUNDS[0])
    monkeypatch.undo()
    np.testing.assert_allclose(litert.probabilities(features), EsphomeModel(network).probabilities(features), atol=0.02)


def test_tensorflow_lite_micro_runs_it_in_the_manifests_arena(written, network):
    runtime = pytest.importorskip("tflite_micro", reason="pip install speechzoo[micro]").runtime
    interpreter = runtime.Interpreter.from_bytes(network, arena_size=written.arena_bytes)
    interpreter.set_input(np.zeros((1, 4, 40), np.int8), 0)
    interpreter.invoke()
    assert interpreter.get_output(0).shape == (1, 1)


@pytest.mark.parametrize(("changes", "message"), [
    ({"frontend": {"type": "log_mel", "causal": True}}, "doesn't have the front end micro_features"),
    ({"backbone": {"type": "ds_cnn", "channels": 8, "num_blocks": 1}}, "can't stream: its backbone is not causal"),
    ({"heads": {"gender": CONFIG["heads"]["gender"]}}, "has no head of type spotter"),
])
def test_models_that_esphome_cannot_hear(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        export(build({**CONFIG, **changes}, spread=False), tmp_path, format="esphome", wake_word=WORD)
    assert not list(tmp_path.iterdir())


def test_wake_words_that_are_not_there(model, tmp_path):
    with pytest.raises(ValueError, match="no wake word 'hey jarwis'; did you mean 'hey jarvis'?"):
        export(model, tmp_path, format="esphome", wake_word="hey jarwis")
    with pytest.raises(ValueError, match="no wake word '_unknown_'"):
        export(model, tmp_path, format="esphome", wake_word="_unknown_")
    with pytest.raises(ValueError, match="needs a wake word .--wake-word.: alexa, hey jarvis"):
        export(model, tmp_path, format="esphome")
    with pytest.raises(ValueError, match="option 'wake_word' is for format 'esphome', not for 'micro'"):
        export(model, tmp_path, format="micro", wake_word=WORD)
    with pytest.raises(ValueError, match="use --format esphome"):
        export(model, tmp_path, format="micro", heads=["gender"])
    with pytest.raises(ValueError, match="no recording is as long as a step of the network, 640 samples"):
        export(model, tmp_path, format="esphome", wake_word=WORD, representative=[np.zeros(639, np.float32)])
    assert not list(tmp_path.iterdir())


def test_a_network_that_esphome_does_not_load_is_refused(network):
    assert check_network(network)
    model = parse(network)
    code = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.LOGISTIC)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    with pytest.raises(ExportError, match="operator SOFTMAX: ESPHome's micro_wake_word doesn't have it"):
        check_network(serialize(model))
    model = parse(network)
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization
    quantization.scale = np.float32([0.2])
    with pytest.raises(ExportError, match="features of scale 0.20000"):
        check_network(serialize(model))
    model = parse(network)
    model.subgraphs[0].outputs = model.subgraphs[0].inputs
    with pytest.raises(ExportError, match="inputs and outputs of shapes .* ESPHome takes"):
        check_network(serialize(model))


def test_a_network_beyond_tolerance_is_named_and_nothing_is_written(model, network, tmp_path, monkeypatch):
    monkeypatch.setattr("speechzoo.exporters.esphome.esphome_export.write_saved_model", lambda *_: None)
    monkeypatch.setattr("speechzoo.exporters.esphome.esphome_export.convert", lambda *_, **__: (network, []))
    monkeypatch.setattr(EsphomeModel, "probabilities", lambda self, features: np.ones(len(features) // 4))
    with pytest.raises(ExportError, match="hey_jarvis.tflite: head 'keyword' is too far from the Keras model"):
        export_esphome(model, tmp_path, WORD, SOUNDS)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_it_costs(written, capsys, monkeypatch):
    from speechzoo.cli import main

    monkeypatch.setattr("speechzoo.exporters.export", lambda *_, **__: written.path)
    with pytest.raises(SystemExit) as finished:
        main(["export", "tiny", "--format", "esphome", "--wake-word", WORD, "--out", "x"])
    shown = capsys.readouterr().out
    assert finished.value.code == 0, shown
    assert f"network {written.network_bytes:,} bytes, arena {written.arena_bytes:,} bytes; a step every 40 ms" in shown
    assert "probability difference" in shown and str(written.path) in shown
