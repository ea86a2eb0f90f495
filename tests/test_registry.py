"""The zoo by name: every config builds, every checkpoint gives its golden outputs, and what is wrong is said in one line."""

import json
import logging
import shutil

import numpy as np
import pytest

from speechzoo import registry
from speechzoo.config import ConfigError, HeadConfig
from speechzoo.origin import Origin
from speechzoo.registry import (METRICS, WEIGHTS, checkpoint_weights, describe, find_weights, list_models, load, save,
                                summarize)
from speechzoo.weights import save_weights, sha256_of
from tests.tiny_models import build, tiny
from tools.figures import FOLDER, read_figures
from tools.recipes import costs


def has_checkpoint(name):
    return (registry._checkpoint_folder(name) / WEIGHTS).is_file()


@pytest.mark.parametrize("name", list_models())
def test_every_model_has_what_a_page_about_it_needs(name):
    model = describe(name)
    assert model.config.summary and model.parameters > 1000 and model.macs_per_second > 1e5
    assert (model.metrics is not None) == has_checkpoint(name)
    assert model.card or not has_checkpoint(name)
    assert set(model.labels) <= set(model.config.heads) and all(
        values or model.config.heads[head].type in ("speaker", "seq2seq", "enhancement") for head, values in model.labels.items())
    if model.pretrained:
        entry = summarize(name)
        assert (entry.parameters, entry.macs_per_second) == (model.parameters, model.macs_per_second)
        assert list(model.labels) == model.heads
    else:
        assert costs(model) in read_figures(FOLDER / "recipes.csv"), "run python -m tools.recipes"


@pytest.mark.parametrize("name", [name for name in list_models() if has_checkpoint(name)])
def test_checkpoints_give_their_golden_outputs(name):
    golden = np.load(registry._checkpoint_folder(name) / "golden.npz")
    outputs = load(name).batch_outputs([golden["audio"]])[0]
    assert {f"output/{head}" for head in outputs} == set(golden.files) - {"audio"}
    for head, output in outputs.items():
        np.testing.assert_allclose(output, golden[f"output/{head}"], atol=2e-3, rtol=1e-3)


def test_models_are_found_by_pattern_and_head():
    assert "mtl_ds_cnn_micro" in list_models("mtl_ds_*")
    assert "mtl_ds_cnn_micro" not in list_models(head="transcript")
    assert list_models("nothing*") == []


def test_heads_and_overrides_change_what_is_built():
    model = load("mtl_ds_cnn_micro", weights=None, heads=["gender"], backbone={"channels": 8, "num_blocks": 1})
    assert list(model.heads) == ["gender"]
    assert model.backbone.channels == 8 and model.backbone.num_blocks == 1


@pytest.mark.parametrize("arguments, message", [
    ({"name": "mtl_ds_cnn_mikro"}, "did you mean 'mtl_ds_cnn_micro'"),
    ({"name": "mtl_ds_cnn_micro", "heads": ["gendre"]}, "did you mean 'gender'"),
    ({"name": "mtl_ds_cnn_micro", "backbone": {"chanels": 8}}, "did you mean 'channels'"),
    ({"name": "mtl_ds_cnn_micro", "trainig": {"epochs": 1}}, "did you mean 'training'"),
])
def test_typos_name_the_nearest(arguments, message):
    with pytest.raises(ConfigError, match=message):
        load(weights=None, **arguments)


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A checkpoint of the micro model with random weights, where the registry looks for it."""
    monkeypatch.setattr(registry, "_checkpoint_folder", lambda name: tmp_path / name)
    folder = tmp_path / "mtl_ds_cnn_micro"
    model = load("mtl_ds_cnn_micro", weights=None)
    folder.mkdir()
    save_weights(model, folder / WEIGHTS, dtype="float16")
    (folder / METRICS).write_text(json.dumps({"weights": {"sha256": sha256_of(folder / WEIGHTS)}}))
    return folder, model


def test_packaged_weights_are_checked_and_loaded(packaged):
    folder, model = packaged
    audio = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10
    loaded = load("mtl_ds_cnn_micro").batch_outputs([audio])[0]
    for head, output in model.batch_outputs([audio])[0].items():
        np.testing.assert_allclose(loaded[head], output, atol=0.02)
    alone = load("mtl_ds_cnn_micro", heads=["gender"]).batch_outputs([audio])[0]
    np.testing.assert_allclose(alone["gender"], loaded["gender"], atol=1e-6)


def test_damaged_packaged_weights_are_refused(packaged):
    folder, _ = packaged
    contents = bytearray((folder / WEIGHTS).read_bytes())
    contents[len(contents) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(contents)
    with pytest.raises(ValueError, match="SHA-256"):
        checkpoint_weights("mtl_ds_cnn_micro")
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="no pretrained weights"):
        load("mtl_ds_cnn_micro")


# -- heads of one's own -----------------------------------------------------------------------------------------------

MOOD = {"type": "classifier", "classes": ["calm", "angry"]}
MEASURED = ("threshold", "weak", "wake_doubts")
AUDIO = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10


def weights_of(head):
    """Paths of the weights that a new head starts with at random; what is measured begins at 0."""
    return [weight.path for weight in head.weights if weight.path.rpartition("/")[2] not in MEASURED]


def test_new_heads_stand_on_trained_weights(caplog):
    trained = load("mtl_ds_cnn_micro")
    with caplog.at_level(logging.INFO, "speechzoo.trained"):
        model = load("mtl_ds_cnn_micro", heads={"mood": MOOD, "keyword": {}})
    assert list(model.heads) == list(model.zoo_config.heads) == ["mood", "keyword"]
    new = weights_of(model.heads["mood"])
    assert new and sorted(model.new_weights) == sorted(new)
    assert caplog.messages == [f"mtl_ds_cnn_micro: {len(new)} weights are new and start at random, such as "
                               f"{model.new_weights[0]}"]
    (outputs,), (expected,) = (each.batch_outputs([AUDIO]) for each in (model, trained))
    np.testing.assert_allclose(outputs["keyword"], expected["keyword"], atol=1e-5)
    assert trained.new_weights == [] and model.origin == trained.origin


def test_a_head_with_other_classes_is_new():
    model = load("mtl_ds_cnn_micro", heads={"keyword": {"classes": ["stop", "go"]}})
    assert model.new_weights and all(path.startswith("keyword/") for path in model.new_weights)
    assert model.zoo_config.heads["keyword"].type == "classifier"


def test_a_head_with_as_many_other_classes_is_new():
    model = load("mtl_ds_cnn_micro", heads={"gender": {"classes": ["male", "female"]}, "age_group": {"dropout": 0.5}})
    assert sorted(model.new_weights) == sorted(weights_of(model.heads["gender"]))


@pytest.fixture
def small_run(tmp_path):
    """Sharing -> folder of a saved small model with two heads, and that model."""
    def make(sharing):
        model = build(tiny(heads=["keyword", "gender"], sharing=sharing))
        save(model, tmp_path / "run")
        return tmp_path / "run", model
    return make


@pytest.mark.parametrize("sharing, new", [
    ("soft", {"backbone_mood", "mood"}), ("adapters", {"adapter_mood_1", "adapter_mood_2", "mood"}),
    ("mmoe", {"gate_mood", "mood"}), ("ple", {"backbone_mood_expert_1", "gate_mood_2", "mood"})])
def test_new_heads_bring_what_the_sharing_has_for_them(small_run, sharing, new):
    folder, trained = small_run(sharing)
    model = load(folder, heads={"mood": MOOD, "keyword": {}})
    assert {path.partition("/")[0] for path in model.new_weights} == new
    (outputs,), (expected,) = (each.batch_outputs([AUDIO]) for each in (model, trained))
    np.testing.assert_allclose(outputs["keyword"], expected["keyword"], atol=1e-5)


@pytest.mark.parametrize("sharing", ["cross_stitch", {"type": "ple", "levels": 2}])
def test_heads_whose_networks_are_mixed_stay_together(small_run, sharing, tmp_path):
    folder, trained = small_run(sharing)
    with pytest.raises(ValueError, match="mixes the networks of all heads.*name all of them.*: keyword, gender"):
        load(folder, heads={"keyword": {}})
    one = load(folder, heads=["keyword"])
    np.testing.assert_allclose(one.batch_outputs([AUDIO])[0]["keyword"], trained.batch_outputs([AUDIO])[0]["keyword"],
                               atol=1e-5)
    with pytest.raises(ValueError, match=r"can't be saved without the others; load it with heads=\['keyword', 'gender'"):
        save(one, tmp_path / "one")


def test_a_head_may_become_one_of_another_type():
    model = load("mtl_ds_cnn_micro", heads={"keyword": {"type": "frame_classifier", "classes": ["none", "speech"]},
                                            "gender": {"options": {"dropout": 0.25}}})
    assert model.zoo_config.heads["keyword"] == HeadConfig("frame_classifier", options={"classes": ["none", "speech"]})
    assert model.zoo_config.heads["gender"].options == {"classes": ["female", "male"], "dropout": 0.25}
    assert model.heads["gender"].dropout_rate == 0.25


@pytest.mark.parametrize("heads, message", [
    ({"keywrod": {}}, "heads.keywrod: missing key 'type'"),
    ({"mood": None}, "heads.mood: expected the config of a head"),
    ({"mood": {"type": "clasifier"}}, "unknown head 'clasifier'; did you mean 'classifier'"),
    ({"mood": {**MOOD, "dropuot": 1}}, "did you mean 'dropout'"),
])
def test_heads_that_can_not_be_built(heads, message):
    with pytest.raises(ConfigError, match=message):
        load("mtl_ds_cnn_micro", heads=heads)


def test_only_new_heads_may_lack_weights():
    with pytest.raises(ValueError, match=r"\d+ weights of the model are not in it, such as backbone/.*name new heads"):
        load("mtl_ds_cnn_micro", heads={"mood": MOOD}, backbone={"channels": 56, "num_blocks": 5})


def test_a_file_may_lack_what_has_a_sensible_beginning():
    model = load("mtl_conformer_small", weights=None, heads=["transcript", "keyword"],
                 weighting={"type": "uncertainty"})
    optional = {weight.path for part in (model.weighting, *model.heads.values()) for weight in part.optional_weights}
    assert optional == {"weighting/transcript_log_variance", "weighting/keyword_log_variance", "transcript/log_prior",
                        "keyword/weak", "keyword/wake_doubts"}


# -- folders ----------------------------------------------------------------------------------------------------------

def test_a_saved_model_loads_by_its_folder(tmp_path):
    model = load("mtl_ds_cnn_micro", heads={"mood": MOOD, "gender": {}})
    model.heads["mood"].logits.bias.assign([1.0, -2.0])
    save(model, tmp_path / "mood")
    again = load(tmp_path / "mood")
    files = sorted(path.name for path in (tmp_path / "mood").iterdir())
    assert files == ["config.yaml", "model.weights.h5", "origin.json"]
    assert again.zoo_config.heads == model.zoo_config.heads and again.origin == model.origin and again.new_weights == []
    for head, output in model.batch_outputs([AUDIO])[0].items():
        np.testing.assert_allclose(again.batch_outputs([AUDIO])[0][head], output, atol=1e-6)
    save(load("mtl_ds_cnn_micro", weights=None), tmp_path / "mood")
    assert list(load(tmp_path / "mood").heads) == ["keyword", "gender", "age_group"]
    assert load(tmp_path / "mood").origin == Origin()


def test_what_can_not_be_saved(tmp_path):
    model = load("mtl_ds_cnn_micro", weights=None, heads=["gender"])
    for name in ("final.weights.h5", "labels.json"):  # the latter of a run that has no weights yet
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match="holds a training run; save to another folder"):
            save(model, tmp_path)
        (tmp_path / name).unlink()
    model.zoo_config = None
    with pytest.raises(ValueError, match="wasn't made from a config"):
        save(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_weights_are_found_by_name_folder_and_file(tmp_path, monkeypatch):
    file = registry._checkpoint_folder("mtl_ds_cnn_micro") / WEIGHTS
    assert find_weights("mtl_ds_cnn_micro") == find_weights(file) == find_weights(str(file)) == file
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mtl_ds_cnn_micro").write_text("a file of a model's name is not its weights")
    assert find_weights("mtl_ds_cnn_micro") == file
    for name in (WEIGHTS, "best.weights.h5", "final.weights.h5"):
        shutil.copy(file, tmp_path / name)
        assert find_weights(tmp_path) == tmp_path / name
    model = load("mtl_ds_cnn_micro", weights=tmp_path)
    (outputs,), (expected,) = (each.batch_outputs([AUDIO]) for each in (model, load("mtl_ds_cnn_micro")))
    np.testing.assert_allclose(outputs["gender"], expected["gender"])


def test_weights_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="mikro: no such weights file.*did you mean 'mtl_ds_cnn_micro'"):
        find_weights("mtl_ds_cnn_mikro")
    with pytest.raises(ValueError, match="'mtl_cnn_tiny' has no pretrained weights"):
        find_weights("mtl_cnn_tiny")
    with pytest.raises(ValueError, match="no weights in this folder"):
        find_weights(tmp_path)


# -- the index --------------------------------------------------------------------------------------------------------

def test_the_index_knows_what_is_trained():
    trained, recipes = list_models(pretrained=True), list_models(pretrained=False)
    assert sorted(trained + recipes) == list_models() and {"mtl_whisper_tiny", "mtl_ds_cnn_micro"} <= set(trained)
    assert list_models("mtl_*", head="event", pretrained=False) == []
    whisper = summarize("mtl_whisper_tiny")
    assert whisper.licence == "MIT" and whisper.derived_from[0]["name"] == "Whisper tiny.en" and not whisper.streaming
    assert whisper.size_bytes == (registry._checkpoint_folder("mtl_whisper_tiny") / WEIGHTS).stat().st_size
    assert "alignment" not in whisper.heads and set(whisper.heads) == set(whisper.figures)
    results = registry.read_metrics("mtl_whisper_tiny")["results"]
    # Sound events are those of ESC-10, not the speech beside them; keywords are named by two corpora.
    assert whisper.figures["event"] == {"accuracy": results["esc10"]["event"]["accuracy"]}
    assert whisper.figures["intent"] == {"accuracy": results["smart_speaker_synthetic"]["intent"]["accuracy"]}
    assert whisper.figures["keyword"] == {"accuracy": results["overall"]["keyword"]["accuracy"]}
    assert list(whisper.figures["transcript"]) == ["wer"] and list(whisper.figures["slots"]) == ["f1"]
    assert "librispeech" in whisper.corpora and summarize("mtl_conformer_small_streaming").streaming


def test_the_index_knows_recipes_by_their_configs():
    recipe = summarize("mtl_cnn_tiny")
    assert not recipe.pretrained and recipe.figures == {} and recipe.parameters is recipe.size_bytes is None
    assert recipe.heads == ["keyword", "gender", "age_group"]
    assert recipe.corpora == ["speech_commands", "wake_words", "librispeech", "speechocean762"]
