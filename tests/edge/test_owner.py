"""An exported file adapts to its owner by itself, whatever its weights are stored in, and goes back when asked."""

import io
import subprocess
import sys

import numpy as np
import pytest

from speechzoo.audio import AudioError
from speechzoo.cli import main
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.viterbi import occupancies
from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.edge.learnt_file import LearntFileError
from speechzoo.edge.owner import FRAMES_PER_STEP, Owner, adapted_head
from speechzoo.exporters.network.flatbuffer import custom_operators
from speechzoo.exporters.network.quantization import quantize_weights
from speechzoo.exporters.signatures.owner import adaptable_head
from speechzoo.exporters.tflite import export_tflite
from speechzoo.registry import load
from tests.exporters.tiny_tflite import SOUNDS, tiny_tflite
from tests.helpers import tone, write_wav
from tests.tiny_models import streaming_model, tiny_model

LEXICON = {"go": [["G", "OW"]], "up": [["AH", "P"]]}
SAID = [("Go up!", tone(1.0, 300, seed=3)), ("up", tone(0.8, 900, seed=4)), ("go", np.tile(tone(0.7, 1500, seed=5), 4))]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    written = export_tflite(tiny_model(), tmp_path_factory.mktemp("adapt"), representative=SOUNDS,
                            heads=["phones", "letters", "keyword"], signatures=["adapt", "keyword"])
    return written.path


def units_of(model, text):
    units = model.spec["heads"]["phones"]["units"]
    return [units.index(phone) + 1 for word in text.lower().strip("!").split() for phone in LEXICON[word][0]]


def loss(model, text, audio):
    """Nats that the text costs, from what the file itself answers."""
    return -occupancies(log_softmax(model.batch_outputs([audio])[0]["phones"]), units_of(model, text))[1]


def test_what_was_said_gets_likelier_and_can_be_forgotten(path):
    model = EdgeModel(path)
    owner = Owner(model, LEXICON)
    fresh = {name: value.copy() for name, value in model.batch_outputs([SAID[0][1]])[0].items()}
    losses = [loss(model, *said) for said in SAID]
    before, after = owner.adapt(SAID)
    assert before == pytest.approx(sum(losses) / 8, rel=1e-5)
    assert after == pytest.approx(sum(loss(model, *said) for said in SAID) / 8, rel=1e-5)
    assert after < before - 0.1
    for name, value in model.batch_outputs([SAID[0][1]])[0].items():  # all that comes behind hears as adapted
        assert np.abs(value - fresh[name]).max() > 1e-3, name
    early = model.batch_outputs([SAID[0][1]], heads=["keyword"])[0]["keyword"]
    np.testing.assert_allclose(early, model.batch_outputs([SAID[0][1]])[0]["keyword"], atol=1e-5)
    assert owner.adapt(SAID)[1] < after  # it goes on from there
    owner.forget()
    for name, value in model.batch_outputs([SAID[0][1]])[0].items():
        np.testing.assert_array_equal(value, fresh[name])


def test_a_step_follows_the_gradient_of_the_ctc_loss(path):
    model = EdgeModel(path)
    owner = Owner(model, LEXICON)
    frames = model.run("adapt_frames", audio=SAID[0][1][None])["frames"]
    count = frames.shape[1]
    assert count <= FRAMES_PER_STEP
    original = model.run("save_affine")["original"]
    assert len(original) == 2 * 2 * 16  # two normalisations of 16 channels
    affine = original + 0.2 * np.random.default_rng(1).standard_normal(len(original)).astype(np.float32)
    padded = np.pad(frames, ((0, 0), (0, FRAMES_PER_STEP - count), (0, 0)))

    def restored_loss(affine):
        model.run("restore_affine", affine=affine.astype(np.float32))
        return loss(model, *SAID[0])

    restored_loss(affine)
    target = np.zeros((1, FRAMES_PER_STEP, len(model.spec["heads"]["phones"]["units"]) + 1), np.float32)
    logits = model.batch_outputs([SAID[0][1]])[0]["phones"]
    target[0, :count], _ = occupancies(log_softmax(logits), units_of(model, "go up"))
    model.run("adapt", frames=padded, target=target, rate=np.float32(0.01))
    step = affine - model.run("save_affine")["affine"]
    for number in np.argsort(-np.abs(step))[:4]:
        moved = np.stack([affine, affine])
        moved[:, number] += [0.01, -0.01]
        slope = (restored_loss(moved[0]) - restored_loss(moved[1])) / 0.02
        assert step[number] == pytest.approx(0.01 * slope, rel=0.03)
    owner.forget()


@pytest.mark.parametrize("mode", ["float16", "dynamic"])
def test_files_with_smaller_weights_adapt_too(path, mode, tmp_path):
    smaller = quantize_weights(path.read_bytes(), mode)
    assert custom_operators(smaller) == []
    write_artifact(tmp_path / "m.tflite", smaller, read_artifact(path))
    owner = Owner(EdgeModel(tmp_path / "m.tflite"), LEXICON)
    before, after = owner.adapt(SAID)
    assert after < before - 0.1
    owner.save(tmp_path / "owner.npz")
    same = Owner(EdgeModel(path), LEXICON)  # the same model, in other numbers
    same.load(tmp_path / "owner.npz")
    np.testing.assert_array_equal(same.affine, owner.affine)


def test_saved_is_the_same_and_whole(path, tmp_path):
    model, file = EdgeModel(path), tmp_path / "owner.npz"
    owner = Owner(model, LEXICON)
    owner.adapt(SAID)
    adapted = model.batch_outputs([SAID[1][1]])[0]["phones"].copy()
    owner.save(file)
    again = EdgeModel(path)
    loaded = Owner(again, LEXICON)
    loaded.load(file)
    np.testing.assert_allclose(again.batch_outputs([SAID[1][1]])[0]["phones"], adapted, atol=1e-6)
    whole = file.read_bytes()
    for content in (whole[:400], b""):
        file.write_bytes(content)
        with pytest.raises(LearntFileError, match="no file of an owner, or a damaged one"):
            loaded.load(file)
    np.testing.assert_allclose(again.batch_outputs([SAID[1][1]])[0]["phones"], adapted, atol=1e-6)
    with np.load(io.BytesIO(whole)) as archive:
        arrays = dict(archive)
    np.savez(file, **{**arrays, "probe": np.roll(arrays["probe"], 1)})
    with pytest.raises(LearntFileError, match="learnt with another model"):
        loaded.load(file)


def test_a_stream_hears_as_adapted(tmp_path):
    path = export_tflite(streaming_model("conformer"), tmp_path, representative=SOUNDS,
                         signatures=["stream_step", "adapt"]).path
    model = EdgeModel(path)
    audio = np.tile(tone(0.64, 700, seed=6), 2)
    before = model.batch_outputs([audio])[0]["letters"].copy()
    affine = model.run("save_affine")["affine"]
    model.run("restore_affine", affine=affine + 0.3 * np.random.default_rng(2).standard_normal(len(affine)).astype("f"))
    offline = model.batch_outputs([audio])[0]["letters"]
    assert np.abs(offline - before).max() > 1e-3
    steps = Stepper(model.stream_step, model.initial_state(), model.spec["stream"]["step_samples"]).feed(audio)
    np.testing.assert_allclose(np.concatenate([outputs["letters"] for outputs in steps]), offline, atol=1e-4)


def test_wrong_input_says_so(path, tmp_path, tmp_path_factory):
    owner = Owner(EdgeModel(path), LEXICON)
    with pytest.raises(ValueError, match="nothing to learn from"):
        owner.adapt([])
    with pytest.raises(ValueError, match="'!': no words"):
        owner.adapt([("!", SAID[0][1])])
    with pytest.raises(ValueError, match="no pronunciation of 'down'"):
        owner.adapt([("go down", SAID[0][1])])
    with pytest.raises(AudioError, match="'go up go up': its recording is too short"):
        owner.adapt([("go up go up", tone(0.1))])
    with pytest.raises(AudioError, match="longer than 20 s"):
        owner.adapt([("go", tone(21))])
    with pytest.raises(AudioError, match="not a finite number"):
        owner.adapt([("go", np.full(8000, np.nan, np.float32))])
    np.testing.assert_array_equal(owner.model.run("save_affine")["affine"], owner.model.run("save_affine")["original"])
    with pytest.raises(ValueError, match="has no signature 'save_affine'; it has: recognize"):
        Owner(EdgeModel(tiny_tflite(tmp_path_factory).path))
    with pytest.raises(ValueError, match="leave out the signature 'adapt', or use quantize 'dynamic'"):
        export_tflite(tiny_model(), tmp_path, "int8", signatures=["adapt"])


def test_which_models_adapt():
    def head_of(model):
        return adaptable_head(model, model.spec)

    assert adapted_head(tiny_model().spec) == "phones" and head_of(tiny_model()) == "phones"
    assert head_of(load("mtl_ds_cnn_micro", weights=None)) is None  # writes nothing
    assert head_of(load("mtl_crdnn_tiny", weights=None)) is None  # has no layer normalisation to tune


def test_commands_on_a_device_without_tensorflow(path, tmp_path, capsys):
    recordings = [str(write_wav(tmp_path / f"{number}.wav", audio)) for number, (_, audio) in enumerate(SAID)]
    file = str(tmp_path / "owner.npz")
    said = ["--said", "go up", recordings[0], "--said", "up", recordings[1], recordings[1]]
    code = ("import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\nfrom speechzoo.cli import main\n"
            f"main({['adapt', str(path), *said, '--owner', file]!r})")
    lines = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True) for _ in range(2)]
    first, second = (line.stdout.split() for line in lines)
    assert first[0] == f"{file}:" and first[4:] == "nats a unit of what was said".split(), lines[0].stderr
    assert float(first[3]) < float(first[1]) and float(second[1]) == pytest.approx(float(first[3]), abs=0.011)

    def letters(*options):
        with pytest.raises(SystemExit) as ended:
            main(["recognize", str(path), recordings[0], "--json", *options])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert letters("--owner", file) != letters()
    for command, error in ((["adapt", str(path), "--said", "go up", "--owner", file], "--said takes a text and a recording"),
                           (["recognize", "mtl_conformer_small", recordings[0], "--owner", file], "--signatures adapt")):
        with pytest.raises(SystemExit):
            main(command)
        assert error in capsys.readouterr().err
