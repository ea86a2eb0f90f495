"""Runs that go on, with everything that fine-tuning has, and runs from before it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from speechzoo.config import TrainingConfig, from_dict, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training import frame_store, trainer
from speechzoo.training.checkpoint import FILE_NAME, PREVIOUS_NAME
from speechzoo.training.prepare import prepare_run
from speechzoo.training.run_log import read_log
from speechzoo.weights import read_arrays, save_weights, write_arrays
from tests.training.tiny_corpus import make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

EVERYTHING = ["data.augment.gain.probability=0", "frontend.frequency_masks=0",
              "training.freeze=[frontend/*, backbone/*]", "training.rates={'*/pooling/*': 0.5}", "training.decay=linear",
              "training.penalties=[{type: l2_sp, strength: 0.1}]", "training.cache_features=true",
              "training.cache_gigabytes=9e-6", "training.epochs=2"]


class Killed(Exception):
    """Ends a run between two checkpoints."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    monkeypatch.setattr(frame_store, "SHARD_BYTES", 2500)


def kill_at(step):
    def on_record(record):
        if record["event"] == "train" and record["step"] == step:
            raise Killed

    return on_record


def test_what_starts_anew_where_the_rest_goes_on(corpus, tmp_path):
    config = load_config(corpus, ["training.reinitialize=[backbone/block_1_*]"])
    model = build_model(load_config(corpus), heads=["keyword"])
    save_weights(model, tmp_path / "start.h5")
    run, random = prepare_run(config, tmp_path / "start.h5"), prepare_run(config)
    start, drawn = read_arrays(tmp_path / "start.h5"), {weight.path: np.array(weight) for weight in random.model.weights}
    anew = {weight.path for weight in run.model.weights if weight.path.startswith("backbone/block_1_")}
    assert anew and anew <= set(run.load_report.missing)
    for weight in run.model.weights:
        if weight.path in start:
            expected = drawn if weight.path in anew else start
            np.testing.assert_array_equal(np.array(weight), expected[weight.path], err_msg=weight.path)


def assert_same_weights(first, second, tolerance):
    first, second = (read_arrays(run / "final.weights.h5") for run in (first, second))
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], rtol=0, atol=tolerance, err_msg=name)


def test_a_run_with_everything_goes_on_exactly(corpus, tmp_path):
    model = build_model(load_config(corpus), heads=["keyword"])
    save_weights(model, tmp_path / "start.h5")
    whole = trainer.train(corpus, tmp_path / "whole", overrides=EVERYTHING, weights=tmp_path / "start.h5")
    with pytest.raises(Killed):
        trainer.train(corpus, tmp_path / "run", overrides=EVERYTHING, weights=tmp_path / "start.h5",
                      on_record=kill_at(8))
    files = sorted((tmp_path / "run" / "features").rglob("train-*"))
    files[0].write_bytes(files[0].read_bytes()[:-10])
    (tmp_path / "start.h5").unlink()
    result = trainer.train(corpus, tmp_path / "run", overrides=EVERYTHING)
    assert_same_weights(tmp_path / "run", tmp_path / "whole", 0)
    assert result.metrics == whole.metrics and result.audio_hours == whole.audio_hours
    logs = [read_log(run.output / "log.jsonl") for run in (whole, result)]
    for event in ("train", "dev"):
        losses = [{record["step"]: record["loss"] for record in log if record["event"] == event} for log in logs]
        assert losses[0] == losses[1] and len(losses[0]) == (12 if event == "train" else 2)
    assert {record["penalty"] > 0 for record in logs[1] if record["event"] == "train"} == {True}
    report = json.loads((tmp_path / "run" / "data.json").read_text())["features"]
    assert report["train"]["left_out"] > 0 and 0 < report["train"]["reused"] < report["train"]["kept"]
    # The head that the file had is pulled to it, and its statistics and those of the backbone haven't moved.
    final = read_arrays(tmp_path / "run" / "final.weights.h5")
    start = {variable.path: np.array(variable) for variable in model.weights}
    for path, value in start.items():
        rests = path.startswith(("frontend", "backbone")) or path.endswith(("/threshold", "/weak", "/wake_doubts"))
        assert (value == final[path]).all() == rests, path


def test_the_page_has_configs_that_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "fine_tuning.md").read_text()
    blocks = [yaml.safe_load(block)["training"] for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    first, second = (from_dict(TrainingConfig, block) for block in blocks[1:])  # the first is a whole config
    assert first.rates == {"backbone/*": 0.1} and first.penalties[0].options == {"strength": 0.01}
    assert second.cache_features and second.freeze == ["frontend/*", "backbone/*"]


def test_runs_from_before_go_on(corpus, tmp_path):
    """Their checkpoints and configs have none of the keys."""
    plain = {"overrides": ["training.epochs=1"], "heads": ["keyword"]}
    trainer.train(corpus, tmp_path / "whole", **plain)
    with pytest.raises(Killed):
        trainer.train(corpus, tmp_path / "run", **plain, on_record=kill_at(5))
    with pytest.raises(ValueError, match=r"trained with training.freeze \[\], not \['backbone/\*'\]; undo the change"):
        trainer.train(corpus, tmp_path / "run", heads=["keyword"],
                      overrides=[*plain["overrides"], "training.freeze=[backbone/*]"])
    (tmp_path / "run" / PREVIOUS_NAME).unlink(missing_ok=True)
    arrays = read_arrays(tmp_path / "run" / FILE_NAME)
    state = json.loads(arrays["run"].tobytes())
    for key in ("freeze", "penalties", "audio_hours", "core_hours"):
        del state[key]
    assert sorted(state) == ["batch", "best", "best_step", "epoch", "evaluations", "fingerprint", "step",
                             "without_improvement"] and state["step"] == 3
    arrays["run"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    write_arrays(tmp_path / "run" / FILE_NAME, arrays)
    result = trainer.train(corpus, tmp_path / "run", **plain)
    assert (result.ended, result.step) == ("finished", 6)
    assert_same_weights(tmp_path / "run", tmp_path / "whole", 1e-6)
