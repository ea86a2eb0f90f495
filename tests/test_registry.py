"""The zoo by name: every config builds, every checkpoint gives its golden outputs, and what is wrong is said in one line."""

import json
import shutil

import numpy as np
import pytest

from speechzoo import registry
from speechzoo.config import ConfigError
from speechzoo.registry import METRICS, WEIGHTS, checkpoint_weights, describe, list_models, load
from speechzoo.weights import save_weights, sha256_of


def has_checkpoint(name):
    return (registry._checkpoint_folder(name) / WEIGHTS).is_file()


@pytest.mark.parametrize("name", list_models())
def test_every_model_has_what_a_page_about_it_needs(name):
    model = describe(name)
    assert model.config.summary and model.parameters > 1000 and model.macs_per_second > 1e5
    assert (model.metrics is not None) == has_checkpoint(name)
    assert model.card or not has_checkpoint(name)


@pytest.mark.parametrize("name", [name for name in list_models() if has_checkpoint(name)])
def test_checkpoints_give_their_golden_outputs(name):
    golden = np.load(registry._checkpoint_folder(name) / "golden.npz")
    outputs = load(name).outputs_of(golden["audio"])
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
    loaded = load("mtl_ds_cnn_micro").outputs_of(audio)
    for head, output in model.outputs_of(audio).items():
        np.testing.assert_allclose(loaded[head], output, atol=0.02)
    alone = load("mtl_ds_cnn_micro", heads=["gender"]).outputs_of(audio)
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
