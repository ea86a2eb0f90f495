"""Licences and sources of weights: read, carried from run to run, and attached to models."""

import json
from pathlib import Path

import pytest

from speechzoo import registry
from speechzoo.origin import Origin, carry_origin, read_origin
from speechzoo.registry import list_models, load
from speechzoo.weights import save_weights
from tests.helpers import ORIGIN

CHECKPOINTS = [name for name in list_models() if (registry._checkpoint_folder(name) / "metrics.json").is_file()]


def write_origin(folder, origin=ORIGIN, **others):
    folder.mkdir(exist_ok=True)
    (folder / "origin.json").write_text(json.dumps({"licence": origin.licence, "derived_from": origin.derived_from,
                                                    **others}))
    return folder


def test_what_is_written_is_read_and_summed_up(tmp_path):
    assert read_origin(tmp_path) == Origin() and Origin().summary() == {} and Origin().notices() == ""
    origin = read_origin(write_origin(tmp_path, architecture="whisper"))
    assert origin == ORIGIN
    assert origin.summary() == {"licence": "MIT", "derived_from": [
        {"name": "Ears 1", "licence": "MIT", "copyright": "Copyright (c) 1999 Somebody", "sha256": "0123"}]}
    assert origin.notices() == "Derived from Ears 1 (MIT)\n\nDo what you like.\n"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"licence": "MIT"}', '{"licence": 1, "derived_from": []}',
                                  '{"licence": "MIT", "derived_from": [{"name": "x"}]}', '"\xff"', "[" * 100_000])
def test_a_damaged_origin_is_one_line(text, tmp_path):
    (tmp_path / "origin.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="origin.json: damaged, no origin of weights; import") as raised:
        read_origin(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("weights", ["model.weights.h5", "final.weights.h5", "evaluated/00000006.weights.h5"])
def test_a_run_gets_the_origin_of_what_it_starts_from(weights, tmp_path):
    source, run = write_origin(tmp_path / "source", reference="kept"), tmp_path / "run"
    run.mkdir()
    carry_origin(source / weights, run)
    assert (run / "origin.json").read_bytes() == (source / "origin.json").read_bytes()
    carry_origin(run / weights, run)  # a run that starts from its own weights
    assert read_origin(run) == ORIGIN
    carry_origin(tmp_path / "elsewhere.weights.h5", run)
    assert read_origin(run) == Origin()
    write_origin(run)
    carry_origin(None, run)
    assert not (run / "origin.json").exists()


def test_a_run_does_not_move_in_with_imported_weights(tmp_path):
    write_origin(tmp_path)
    (tmp_path / "model.weights.h5").touch()
    for weights in (None, tmp_path / "model.weights.h5"):
        with pytest.raises(ValueError, match="holds imported or saved weights"):
            carry_origin(weights, tmp_path)
    assert read_origin(tmp_path) == ORIGIN


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_names_its_licence(name):
    folder = registry._checkpoint_folder(name)
    metrics, origin = json.loads((folder / "metrics.json").read_text()), read_origin(folder)
    shown = {key: metrics[key] for key in ("licence", "derived_from") if key in metrics}
    assert shown == (origin.summary() or {"licence": "Apache-2.0"})


def test_models_know_the_origin_of_their_weights(tmp_path):
    model = load("mtl_ds_cnn_micro", weights=None)
    assert model.origin == Origin() and load("mtl_ds_cnn_micro").origin == Origin("Apache-2.0")
    save_weights(model, write_origin(tmp_path) / "final.weights.h5")
    assert load("mtl_ds_cnn_micro", weights=tmp_path / "final.weights.h5").origin == ORIGIN
    checkpoint = registry._checkpoint_folder("mtl_ds_cnn_micro") / "model.weights.h5"
    assert load("mtl_ds_cnn_micro", weights=Path(checkpoint)).origin == Origin("Apache-2.0")


def test_a_checkpoint_is_published_with_the_origin_of_its_run(tmp_path):
    from tools.publish import publish_origin

    run, checkpoint = write_origin(tmp_path / "run"), tmp_path / "checkpoint"
    checkpoint.mkdir()
    assert publish_origin(run, checkpoint) == ORIGIN == read_origin(checkpoint)
    (run / "origin.json").unlink()
    with pytest.raises(ValueError, match="derives from published weights, and .*run has no origin.json; put that of"):
        publish_origin(run, checkpoint)
    (checkpoint / "origin.json").unlink()
    assert publish_origin(run, checkpoint) == Origin("Apache-2.0") and read_origin(checkpoint) == Origin()
