"""`speechzoo publish`: what is written is the model again, for this package, for Keras and for a device."""

import json

import h5py
import keras
import numpy as np
import pytest
import yaml

import speechzoo
from speechzoo import hub
from speechzoo.cli import main
from speechzoo.published.importing import import_published
from speechzoo.publishing.card import base_models, languages
from speechzoo.publishing.figures import DATASETS, eval_results, figures_table, read_figures
from speechzoo.publishing.publish import publish
from speechzoo.registry import read_metrics, save
from speechzoo.weights import add_paths, load_weights, read_arrays
from tests.helpers import ORIGIN, tone
from tests.hub_server import Hub, run_with, serving
from tests.published.tiny_whisper import COMMITTED
from tests.tiny_models import build, tiny

AUDIO = tone(0.7, 500.0, seed=1)
FIGURES = {"overall": {"letters": {"wer": 0.25, "wer_interval": [0.2, 0.5], "n": 8}},
           "librispeech": {"letters": {"wer": 0.25, "wer_interval": [0.2, 0.5], "n": 8},
                           "gone": {"accuracy": 1.0, "n": 8}},
           "speech_commands": {"keyword": {"accuracy": float("nan"), "n": 2}},
           "esc50": {"keyword": {"accuracy": 0.5, "n": 3}}, "_skipped": {"audio": 2}}


def metadata_of(folder):
    _, metadata, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(metadata), text


@pytest.fixture(scope="module")
def model():
    heads = {"letters": {"block": 1, "units": "characters"}, "keyword": {}, "speaker": {}}
    model = build(tiny("mine", heads=heads, data={
        "train": [{"manifest": "librispeech/manifest.jsonl"}, {"manifest": "mine/manifest.jsonl"}]}))
    model.origin = ORIGIN
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A publication of the model, with figures."""
    scratch = tmp_path_factory.mktemp("published")
    save(model, scratch / "saved")
    (scratch / "figures.json").write_text(json.dumps(FIGURES))
    done = publish(scratch / "saved", scratch / "mine", figures=scratch / "figures.json", quantize="none")
    assert done.folder == scratch / "mine" and done.licence == "MIT" and done.measured and done.page is None
    return done.folder


def assert_same(outputs, expected):
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        np.testing.assert_array_equal(output, expected[name], err_msg=name)


def test_the_folder_has_what_the_hub_and_keras_know(folder):
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        ".eval_results/esc50.yaml", ".eval_results/librispeech.yaml", "README.md", "config.json", "config.yaml",
        "licences.txt", "metadata.json", "mine.tflite", "model.weights.h5", "origin.json"]
    for path in (path for path in folder.rglob("*") if path.is_file()):  # nothing says where anything lies here
        assert str(folder.parent).encode() not in path.read_bytes(), path
    assert ORIGIN.derived_from[0]["licence_text"] in (folder / "licences.txt").read_text()


def test_it_is_the_same_model(model, folder):
    expected = model.batch_outputs([AUDIO])[0]
    again = speechzoo.load(folder)
    assert again.origin == ORIGIN and again.zoo_config.heads == model.zoo_config.heads
    assert_same(again.batch_outputs([AUDIO])[0], expected)
    assert_same(keras.saving.load_model(folder).batch_outputs([AUDIO])[0], expected)
    device = speechzoo.EdgeModel(folder / "mine.tflite").recognize(AUDIO, 16000)
    assert device.keyword == model.recognize(AUDIO, 16000).keyword
    # And it is a beginning as any other.
    part = speechzoo.load(folder, heads={"mood": {"type": "classifier", "classes": ["calm", "angry"]}, "keyword": {}})
    assert {path.split("/")[0] for path in part.new_weights} == {"mood"}


def test_others_load_it_from_the_hub(model, folder, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setitem(Hub.models, "mine", {str(path.relative_to(folder)): path.read_bytes()
                                             for path in folder.rglob("*") if path.is_file()})
    program = ("import sys, keras, numpy, speechzoo; audio = numpy.load(sys.argv[1])\n"
               "for number, load in enumerate((speechzoo.load, keras.saving.load_model)):\n"
               "    numpy.savez(f'{sys.argv[2]}/{number}.npz', **load('hf://owner/mine').batch_outputs([audio])[0])")
    np.save(tmp_path / "audio.npy", AUDIO)
    with serving() as endpoint:
        done = run_with(endpoint, tmp_path / "cache", "-c", program, tmp_path / "audio.npy", tmp_path)
    assert done.returncode == 0, done.stderr
    for number in (0, 1):
        assert_same(dict(np.load(tmp_path / f"{number}.npz")), model.batch_outputs([AUDIO])[0])


def test_the_card_says_what_the_hub_searches(folder):
    metadata, text = metadata_of(folder)
    assert metadata == {"license": "mit", "library_name": "keras", "pipeline_tag": "automatic-speech-recognition",
                        "language": ["en"], "datasets": ["openslr/librispeech_asr"],
                        "tags": ["speechzoo", "keras", "tflite", "multi-task", "transcript", "keyword", "speaker"]}
    assert "| letters | wer | librispeech | 25.0 % (20.0 to 50.0) | 8 |" in text
    assert 'speechzoo.load("mine")' in text and 'speechzoo.EdgeModel("mine.tflite")' in text
    assert "They derive from Ears 1 (MIT, Copyright (c) 1999 Somebody)." in text and "librispeech, mine." in text
    assert "gone" not in text and "nan" not in text


def test_figures_are_what_the_hub_reads(folder):
    client = pytest.importorskip("huggingface_hub")
    entries = yaml.safe_load((folder / ".eval_results" / "librispeech.yaml").read_text())
    entry, = client.parse_eval_result_entries(entries)
    assert (entry.dataset_id, entry.task_id, entry.value) == ("openslr/librispeech_asr", "letters_wer", 25.0)
    assert client.eval_result_entries_to_yaml([entry]) == entries
    assert entry.notes == ("per cent, 8 recordings, 95 % interval 20.0 to 50.0; measured by its maker, by "
                           "`speechzoo evaluate`")


def test_figures_of_the_zoo_are_those_of_its_checkpoint():
    results = read_metrics("mtl_whisper_tiny")["results"]
    files = eval_results(results, "here")
    assert sorted(files) == sorted(f"{corpus}.yaml" for corpus in results if corpus in DATASETS) and files
    value = next(entry["value"] for entry in yaml.safe_load(files["librispeech.yaml"])
                 if entry["dataset"]["task_id"] == "transcript_wer")
    assert value == round(100 * results["librispeech"]["transcript"]["wer"], 2)
    assert any(f"| {value:.1f} % (" in line for line in figures_table(results))


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"overall": 3}', '{"overall": {"keyword": {"accuracy": 1}}}'])
def test_files_without_figures_are_one_line(text, tmp_path):
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(ValueError, match="figures.json: holds no figures; give what speechzoo evaluate --json wrote"):
        read_figures(tmp_path / "figures.json")


def test_what_weights_derive_from_has_the_name_that_the_hub_has(tmp_path):
    sources = [{"name": name} for name in ("Whisper tiny.en", "Whisper large-v1", "Whisper (a file that is not known)")]
    assert base_models(tmp_path, sources) == ["openai/whisper-tiny.en", "openai/whisper-large"]
    (tmp_path / "origin.json").write_text(json.dumps({"file": {"from": "hf://owner/name@0123"}}))
    assert base_models(tmp_path, sources) == ["owner/name"]


def test_languages_follow_from_what_heads_write():
    def spec(start, type="seq2seq", kind="bytes"):
        return {"type": type, "kind": kind, "units": ["a", "<|en|>", "<|fr|>"], "start": start}

    assert languages([spec([0]), spec([0], "ctc", "characters")]) == ["en"]
    assert languages([spec([1])]) == ["multilingual"]
    assert languages([spec([], "ctc", "pieces"), {"type": "classifier"}]) == []


def test_an_imported_model_is_published_with_its_card(tmp_path, monkeypatch):
    monkeypatch.setattr("speechzoo.publishing.publish.export", lambda model, folder, **options: folder / "none.tflite")
    imported = import_published(COMMITTED, tmp_path / "ears").output
    done = publish(imported, tmp_path / "out", licence="MIT")
    metadata, text = metadata_of(tmp_path / "out")
    assert done.licence == "MIT" and metadata["license"] == "mit" and not done.measured
    assert json.loads((tmp_path / "out" / "origin.json").read_text())["licence"] == "MIT"
    assert text.startswith("\n# ears\n\nWhisper (a file that is not known), imported")
    stored = read_arrays(imported / "model.weights.h5")
    for path, value in read_arrays(tmp_path / "out" / "model.weights.h5").items():
        np.testing.assert_array_equal(value, stored[path])
    # They were published in float16, and are stored so again, which Keras reads, too.
    with h5py.File(tmp_path / "out" / "model.weights.h5") as file:
        names = json.loads(file["speechzoo_paths"][()].tobytes())
        assert {file[name].dtype for name in names.values()} == {np.dtype(np.float16)}
    for weight in keras.saving.load_model(tmp_path / "out").weights:
        np.testing.assert_array_equal(weight, stored[weight.path])


def test_a_command_says_what_the_page_does_not(model, tmp_path, monkeypatch, capsys):
    uploads = []

    def upload(folder, target, message):
        uploads.append((sorted(path.name for path in folder.iterdir()), target, message))
        return "https://hub/owner/mine"

    monkeypatch.setattr("speechzoo.publishing.publish.export", lambda model, folder, **options: folder / "mine.tflite")
    monkeypatch.setattr(hub, "upload", upload)
    monkeypatch.setattr(hub, "check_target", lambda target: None)
    model = build(tiny("mine"))
    save(model, tmp_path / "saved")
    with pytest.raises(SystemExit) as ended:
        main(["publish", str(tmp_path / "saved"), "--to", "hf://owner/mine"])
    shown = capsys.readouterr()
    assert ended.value.code == 0 and shown.out.splitlines()[-1] == "https://hub/owner/mine"
    assert "the licence is unknown; state one (--licence)" in shown.err and "no figures" in shown.err
    (names, target, message), = uploads
    assert target == "hf://owner/mine" and message == "mine, published by speechzoo" and "config.json" in names


@pytest.mark.parametrize("arguments, message", [
    ([], "say where to publish to: a folder, or hf://owner/name"),
    (["--out", "{folder}", "--licence", "MIT"], "its weights are under MIT already"),
    (["--out", "{other}"], "holds notes.txt, which no publication has; choose a new folder"),
    (["--to", "hf://owner"], "is named hf://owner/name"),
    (["--to", "hf://owner/mine@main"], "leave the revision out"),
    (["--out", "{folder}", "--figures", "{other}/gone.json"], "gone.json"),
])
def test_mistakes_are_one_line(arguments, message, folder, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    places = {"folder": folder, "other": tmp_path}
    with pytest.raises(SystemExit) as ended:
        main(["publish", str(folder.parent / "saved"), *(word.format(**places) for word in arguments)])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and len(error.splitlines()) == 1


def test_damage_is_found(folder, tmp_path):
    text = (folder / "model.weights.h5").read_bytes()
    with h5py.File(folder / "model.weights.h5") as file:
        weight = next(iter(json.loads(file["speechzoo_paths"][()].tobytes()).values()))
    for name in (weight, "speechzoo_paths"):
        (tmp_path / "changed.h5").write_bytes(text)
        with h5py.File(tmp_path / "changed.h5", "r+") as file:
            file[name][...] = 7
        with pytest.raises(ValueError, match="damaged"):
            read_arrays(tmp_path / "changed.h5")


def test_weights_in_other_files_are_refused(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_dataset("a", shape=(4,), dtype="float32", external=[(str(tmp_path / "secret.bin"), 0, 16)])
    with pytest.raises(ValueError, match="a lies in another file"):
        read_arrays(tmp_path / "weights.h5")


def test_paths_of_a_file_of_keras(tmp_path):
    own = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    own.save_weights(tmp_path / "own.weights.h5")
    add_paths(tmp_path / "own.weights.h5", {weight.path: f"layers/dense/vars/{number}"
                                            for number, weight in enumerate(own.weights)})
    expected = [np.array(weight) for weight in own.weights]
    own.set_weights([value + 1 for value in expected])
    assert load_weights(own, tmp_path / "own.weights.h5").complete
    for weight, value in zip(own.weights, expected):
        np.testing.assert_array_equal(weight, value)

