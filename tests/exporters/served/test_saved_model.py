"""The exported SavedModel, loaded as TensorFlow Serving loads it, against the Keras model and NumPy decoding."""

import contextlib
import json
import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest

from speechzoo.audio import load_audio
from speechzoo.decoding.answers import ANSWERS
from speechzoo.decoding.ctc.segments import frame_probabilities
from speechzoo.decoding.recognition import recognize_outputs
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.exporters.served import graph_decoding, saved_model, warmup
from speechzoo.exporters.served.graph_decoding import decode_ctc
from speechzoo.exporters.served.saved_model import batch_inputs, export_saved_model
from speechzoo.exporters.served.served_model import ServedModel
from speechzoo.serving import signatures
from tests.helpers import encoded, tone
from tests.serving.tiny import exported
from tests.serving.warmup_requests import read_warmup
from tests.tiny_models import tiny_model

tf = pytest.importorskip("tensorflow")
# Shorter than two windows, shorter than one second, and longer; in one batch each is padded differently.
SOUNDS = [tone(0.02, seed=1), tone(0.7, 300, seed=2), tone(1.3, 900, seed=3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return exported(tmp_path_factory) / "1"


@pytest.fixture(scope="module")
def served(folder):
    with ServedModel(folder) as model:
        yield model


def objects(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def assert_row_is(outputs, row, audio):
    """One row of served outputs: logits as from Keras, text and scores as from NumPy decoding."""
    model = tiny_model()
    spec, expected = model.spec, model.batch_outputs([audio])[0]
    recognition = recognize_outputs(expected, spec)
    for head, output in expected.items():
        got = outputs[signatures.raw_output_names(spec)[head]][row]
        np.testing.assert_allclose(got[:len(output)], output, atol=1e-4)
    answers = {"transcript": recognition.transcript, "phones": recognition.phones, "keyword": recognition.keyword,
               **recognition.labels, **{f"slots_{slot}": recognition.slots.get(slot, "") for slot in ("size", "drink")}}
    assert set(answers) == {"transcript", "phones", "keyword", "letters", "language", "slots_size", "slots_drink"}
    for name, text in answers.items():
        assert outputs[name][row].decode() == text
    speech = frame_probabilities(expected["speech"], spec["heads"]["speech"])
    np.testing.assert_allclose(outputs["speech"][row][:len(speech)], speech, atol=1e-4)
    assert not outputs["speech"][row][len(speech):].any()
    for label, confidence in recognition.confidence.items():
        assert outputs[f"{label}_score"][row] == pytest.approx(confidence, abs=1e-5)
    for slot, confidence in recognition.slot_confidence.items():
        assert outputs[f"slots_{slot}_score"][row] == pytest.approx(confidence, abs=1e-5)


def test_every_kind_of_answer_is_made_in_graphs():
    assert set(graph_decoding.GRAPH_ANSWERS) == set(ANSWERS)


def test_what_no_graph_can_answer_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.delitem(graph_decoding.GRAPH_ANSWERS, "slots")
    message = "^head 'slots': answers of type 'slots' can't be served; .*: leave the head out$"
    with pytest.raises(ValueError, match=message):
        graph_decoding.decode_outputs(dict.fromkeys(tiny_model().heads, np.zeros((1, 2, 6))), {
            "heads": {"slots": tiny_model().spec["heads"]["slots"]}})
    with pytest.raises(ValueError, match=message):
        export_saved_model(tiny_model(), tmp_path)
    assert not list(tmp_path.rglob("*.pb"))


def test_layout(folder):
    assert folder.name == "1" and folder.parent.name == "tiny"
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert (folder / "saved_model.pb").is_file()
    assert json.loads((folder / "assets.extra/spec.json").read_text("utf-8")) == tiny_model().spec
    assert (folder / "assets.extra/card.md").read_text("utf-8") == "# tiny\n"
    parity = json.loads((folder / "assets.extra/parity.json").read_text("utf-8"))
    assert [row["head"] for row in parity["serving_bytes"]] == list(tiny_model().heads)
    assert all(row["value"] <= row["tolerance"] == 1e-4 for rows in parity.values() for row in rows)


def test_signatures(served):
    assert set(served.signatures) == {"serving_default", "serving_bytes", "spec"}
    for name in ("serving_default", "serving_bytes"):
        assert sorted(served.signatures[name].outputs) == signatures.output_names(tiny_model().spec)
    # Batching in the server needs the batch as first axis everywhere, in and out.
    for signature in served.signatures.values():
        for info in [*signature.inputs.values(), *signature.outputs.values()]:
            assert info.tensor_shape.dim[0].size == -1


def test_one_batch_of_unequal_lengths_gives_what_each_gives_alone(served):
    together = served.run("serving_default", batch_inputs(SOUNDS))
    for row, sound in enumerate(SOUNDS):
        assert_row_is(together, row, sound)
        alone = served.run("serving_default", batch_inputs([sound]))
        for name, value in alone.items():
            if value.dtype == object:
                assert together[name][row] == value[0]
            else:
                got = together[name][row]  # of heads of frames as many as the longest has
                np.testing.assert_allclose(got[:len(value[0])] if got.ndim else got, value[0], atol=1e-5)


def test_whatever_stands_in_the_padding_changes_nothing(served):
    inputs = batch_inputs(SOUNDS)
    clean = served.run("serving_default", inputs)
    for row, length in zip(inputs["audio"], inputs["audio_length"]):
        row[length:] = np.nan if length % 2 else 0.9
    dirty = served.run("serving_default", inputs)
    for name, value in clean.items():
        np.testing.assert_array_equal(dirty[name], value)


def test_wav_files_of_unequal_lengths(served):
    files = [encoded(sound) for sound in SOUNDS] + [encoded(np.stack([SOUNDS[1], SOUNDS[1] / 2], axis=1))]
    outputs = served.run("serving_bytes", {"audio_bytes": objects(files)})
    for row, file in enumerate(files):
        assert_row_is(outputs, row, load_audio(file))


@pytest.mark.parametrize("file, message", [
    (encoded(tone(0.1), sample_rate=44100), r"must have 16000 Hz, resample it before sending; it has Hz:\] \[44100"),
    (encoded(tone(0.1), subtype="PCM_24"), "Can only read 16-bit WAV files, but received 24"),
    (encoded(tone(0.1), "FLAC"), "Expected RIFF but found fLaC"),
    (b"", "Data too short"),
    (encoded(np.zeros(0, np.float32)), "audio_length must be from 1"),
])
def test_wav_that_the_graph_cannot_use(served, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.run("serving_bytes", {"audio_bytes": objects([encoded(tone(0.1)), file])})


@pytest.mark.parametrize("length, sample, message", [
    ([101], 0, "audio_length must be from 1 to the samples"),
    ([0], 0, "audio_length must be from 1 to the samples"),
    ([50, 50], 0, "audio_length must have one entry for each row"),
    ([100], np.nan, "NaN or infinite"),
])
def test_audio_that_the_graph_cannot_use(served, length, sample, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.run("serving_default", {"audio": np.full((1, 100), sample, np.float32),
                                       "audio_length": np.array(length, np.int32)})


def test_served_model_names_what_is_missing(served, tmp_path):
    with pytest.raises(ValueError, match="no signature 'wake'; the model has: serving_bytes, serving_default, spec"):
        served.run("wake", {})
    with pytest.raises(ValueError, match="inputs of 'spec' are .'request'., got .'audio'."):
        served.run("spec", {"audio": 0})
    with pytest.raises(ValueError, match="no output 'song'"):
        served.run("spec", {"request": objects([b""])}, ["song"])
    with pytest.raises(OSError):
        ServedModel(tmp_path)


@pytest.mark.parametrize("kind, units", [
    ("characters", [" ", "'", "a", "b"]),
    ("characters", [" ", "a", "<|unk|>", "b"]),
    ("phones", ["AA", "B", "CH"]),
    ("pieces", ["\u2581", "\u2581a", "b", "c", "\u2581de"]),
])
def test_ctc_in_the_graph_decodes_as_numpy_does(kind, units):
    spec = {"type": "ctc", "label": "transcript", "units": units, "kind": kind, "frame_seconds": 0.04}
    random = np.random.default_rng(1)
    logits = 4 * random.standard_normal((40, 12, len(units) + 1)).astype(np.float32)
    logits[20:, :, 0] += 6  # mostly silence
    logits[30:, 5:] = np.where(np.arange(len(units) + 1) == 0, 0, -1e9)  # padding
    logits[39] = np.where(np.arange(len(units) + 1) == 0, 5, 0)  # nothing said
    text, score = decode_ctc(tf.constant(logits), spec)
    for row, frames in enumerate(logits):
        expected = recognize_outputs({"transcript": frames}, {"heads": {"transcript": spec}})
        assert text[row].numpy().decode() == expected.transcript
        assert float(score[row]) == pytest.approx(expected.confidence["transcript"], rel=1e-4)
    assert text[39] == b"" and len(set(text.numpy())) > 10


def test_heads_whose_outputs_would_share_a_name_are_refused():
    classifier = {"type": "classifier", "classes": ["a"]}
    with pytest.raises(ValueError, match="two outputs would be called 'word_score'"):
        signatures.output_names({"heads": {"word": classifier, "word_score": classifier}})


def test_a_graph_that_differs_from_keras_is_refused(served):
    model = tiny_model()
    bias = model.heads["keyword"].trainable_variables[-1]
    before = bias.numpy()
    bias.assign(before + 0.001)
    try:
        with pytest.raises(ExportError, match="signature 'serving_default': head 'keyword' is too far .* difference 0.000"):
            saved_model.compare(model, served, SOUNDS)
    finally:
        bias.assign(before)
    parity = saved_model.compare(model, served, SOUNDS * 2)  # more than one batch
    assert set(parity) == {"serving_default", "serving_bytes"}
    assert all(row.passed and row.utterances == 6 for rows in parity.values() for row in rows)


def test_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "write_saved_model", lambda path, endpoints, tracked: path.mkdir())
    monkeypatch.setattr(saved_model, "ServedModel", lambda path: contextlib.nullcontext())
    heard = []
    monkeypatch.setattr(saved_model, "compare", lambda model, served, recordings: heard.append(len(recordings)) or {})
    model = tiny_model()
    assert export_saved_model(model, tmp_path, version=7).path == tmp_path / "tiny" / "7"
    assert export_saved_model(model, tmp_path).path == tmp_path / "tiny" / "8"
    assert export_saved_model(model, tmp_path, name="other").path == tmp_path / "other" / "1"
    with pytest.raises(FileExistsError, match="7 is there already"):
        export_saved_model(model, tmp_path, version=7)
    assert heard == [len(bundled_recordings(16000))] * 3

    def refuse(*arguments):
        raise ExportError("keyword got worse")

    monkeypatch.setattr(saved_model, "compare", refuse)
    with pytest.raises(ExportError, match="keyword got worse"):
        export_saved_model(model, tmp_path)
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == ["7", "8"]  # nothing half-written stays


def test_warmup_requests_cover_every_set_of_outputs(folder, served):
    pytest.importorskip("tensorflow_serving")
    requests = read_warmup(folder)
    seen = set()
    for request in requests:
        assert request.model_spec.name == "tiny"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = served.run(request.model_spec.signature_name, inputs, list(request.output_filter))
        seen.add((request.model_spec.signature_name, tuple(sorted(outputs))))
    raw = tuple(sorted(signatures.raw_output_names(tiny_model().spec).values()))
    everything = tuple(signatures.output_names(tiny_model().spec))
    assert seen == {("spec", ("spec",)), ("serving_default", raw), ("serving_default", everything),
                    ("serving_bytes", raw), ("serving_bytes", everything)}


def test_without_serving_api_the_export_says_that_there_is_no_warmup(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.warns(UserWarning, match=r"without warm-up requests.*pip install 'speechzoo\[serving\]'"):
        saved_model._add_warmup(tmp_path, "tiny", tiny_model().spec)
    assert not (tmp_path / warmup.WARMUP_FILE).exists()


# The tool, a process for each command that is forked from one which has read TensorFlow.
SAVED_MODEL_CLI = """
import json, os, sys
from importlib.metadata import entry_points
main = entry_points(group="console_scripts", name="saved_model_cli")["saved_model_cli"].load()
for arguments in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        sys.argv = ["saved_model_cli", *arguments]
        sys.exit(main())
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
"""


@pytest.mark.slow
def test_saved_model_cli_runs_every_signature(folder, tmp_path):
    if not entry_points(group="console_scripts", name="saved_model_cli"):
        pytest.skip("saved_model_cli isn't installed")
    inputs = batch_inputs(SOUNDS[1:])
    np.savez(tmp_path / "in.npz", files=np.array([encoded(tone(0.5)).rstrip(b"\0")]), **inputs)

    def run(out, signature, *arguments):
        return ["run", "--dir", folder, "--tag_set", "serve", "--outdir", tmp_path / out, "--signature_def", signature,
                *arguments]

    commands = [["show", "--dir", folder, "--all"],
                run("audio", "serving_default", "--inputs",
                    f"audio={tmp_path / 'in.npz'}[audio];audio_length={tmp_path / 'in.npz'}[audio_length]"),
                run("bytes", "serving_bytes", "--inputs", f"audio_bytes={tmp_path / 'in.npz'}[files]"),
                run("spec", "spec", "--input_exprs", 'request=["?"]')]
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run([sys.executable, "-c", SAVED_MODEL_CLI, words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("serving_default", "serving_bytes", "spec"):
        assert f"signature_def['{name}']" in done.stdout
    outputs = {path.stem: np.load(path) if path.stem.endswith(("_logits", "_score", "speaker")) else None
               for path in (tmp_path / "audio").glob("*.npy")}
    assert sorted(outputs) == signatures.output_names(tiny_model().spec)
    for row, sound in enumerate(SOUNDS[1:]):
        (expected,) = tiny_model().batch_outputs([sound])
        np.testing.assert_allclose(outputs["speaker"][row], expected["speaker"], atol=1e-4)
    assert np.load(tmp_path / "bytes" / "keyword_logits.npy").shape == (1, 3)
    assert '"sample_rate": 16000' in done.stdout


def test_what_a_classifier_does_not_answer_is_served_as_nothing():
    """Unsure of the first, a weak class is the second, and sure of the third."""
    spec = {"type": "classifier", "label": "keyword", "classes": ["up", "on", "off"], "threshold": 0.6, "weak": ["on"]}
    logits = np.array([[1.0, 0.9, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]], np.float32)
    served = graph_decoding.decode_outputs({"keyword": tf.constant(logits)}, {"heads": {"keyword": spec}})
    assert served["keyword"].numpy().tolist() == [b"", b"", b"off"]
    answers = [recognize_outputs({"keyword": row}, {"heads": {"keyword": spec}}) for row in logits]
    assert [answer.keyword for answer in answers] == [None, None, "off"]
