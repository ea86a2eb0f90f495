"""Heads that train on frames that are kept: the same batches, computed once, in a bounded folder."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training import features, frame_store, trainer
from speechzoo.training.batches import TrainingData
from speechzoo.training.features import FeatureCache, check_cacheable
from speechzoo.training.freezing import freeze
from speechzoo.weights import read_arrays
from tests.on_jax import run_on_jax
from tests.training.tiny_corpus import AS_PROGRAM, SPEAKERS, make_corpus

FROZEN = ["data.augment.gain.probability=0", "frontend.frequency_masks=0", "training.freeze=[frontend/*, backbone/*]",
          "training.epochs=2", "training.evaluate_every=100"]
CACHED = [*FROZEN, "training.cache_features=true"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def run(corpus):
    """A config, its model and its data."""
    config = load_config(corpus, FROZEN)
    model = build_model(config, labels={"speaker": SPEAKERS}, training=True)
    freeze(model, config.training.freeze)
    return config, model, TrainingData(config, model)


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(frame_store, "SHARD_BYTES", 4000)
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)


def fill(run, folder, gigabytes=1.0):
    """A full cache of the training data and its report."""
    config, model, _ = run
    data = TrainingData(config, model)
    cache = FeatureCache(folder, model, gigabytes)
    data.use_frames(cache)
    for _ in cache.fill():
        pass
    return data, cache.report()


def files_of(folder):
    return sorted((folder / "features").rglob("*.frames"))


def test_batches_hold_the_frames_of_the_audio(run, tmp_path):
    _, model, plain = run
    data, report = fill(run, tmp_path)
    assert (report["kept"], report["reused"], report["left_out"]) == (24, 0, 0) and len(files_of(tmp_path)) > 2
    frames = model.to_frames()
    for wanted, found in [*zip(plain.training_batches(1, 1), data.training_batches(1, 1), strict=True),
                          *zip(plain.dev_batches(), data.dev_batches(), strict=True)]:
        expected = frames.predict_on_batch(wanted[0])
        np.testing.assert_array_equal(found[0]["frame_length"], expected["frame_length"])
        np.testing.assert_allclose(found[0]["frames_1"], expected["frames_1"], rtol=1e-3, atol=1e-4)
        for part in (1, 2):
            for head in wanted[part]:
                np.testing.assert_array_equal(wanted[part][head], found[part][head])


def test_what_is_whole_is_used_again_and_what_is_not_is_computed(run, tmp_path, monkeypatch):
    fill(run, tmp_path)
    paths = files_of(tmp_path)
    contents = [path.read_bytes() for path in paths]
    paths[0].write_bytes(contents[0][:-1])
    paths[1].unlink()
    (paths[0].parent / "train-00099.frames").write_bytes(b"of another plan")
    damaged = sum(len(read_rows(content)) for content in contents[:2])
    _, report = fill(run, tmp_path)
    assert (report["kept"], report["reused"]) == (24, 24 - damaged)
    assert [path.read_bytes() for path in files_of(tmp_path)] == contents
    monkeypatch.setattr(features.FrameModel, "compute", lambda *_: pytest.fail("everything is there"))
    assert fill(run, tmp_path)[1]["reused"] == 24


def read_rows(content):
    return json.loads(content[:content.index(b"\n")])["frames"]


def test_other_weights_and_other_audio_are_computed_anew(run, tmp_path):
    config, model, _ = run
    fill(run, tmp_path)
    old = files_of(tmp_path)
    kernel = model.get_layer("backbone").first.kernel
    value = np.array(kernel)
    kernel.assign(2 * value)
    try:
        assert fill(run, tmp_path)[1]["reused"] == 0
    finally:
        kernel.assign(value)
    assert len(files_of(tmp_path)) == len(old) and not set(files_of(tmp_path)) & set(old)
    fill(run, tmp_path)
    audio = Path(config.data.root) / "20.wav"  # of dev
    status = audio.stat()
    os.utime(audio, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    report = fill(run, tmp_path)[1]
    assert 18 <= report["reused"] < 24 and report["kept"] == 24


def test_the_bound_holds_and_what_does_not_fit_is_computed_each_time(run, tmp_path):
    whole, _ = fill(run, tmp_path / "whole")
    size = sum(path.stat().st_size for path in files_of(tmp_path / "whole"))
    bound = 0.8 * size
    data, report = fill(run, tmp_path / "part", bound / 1e9)
    assert sum(path.stat().st_size for path in files_of(tmp_path / "part")) <= bound
    assert 0 < report["kept"] < 24 and report["kept"] + report["left_out"] == 24
    for wanted, found in zip(whole.training_batches(1, 0), data.training_batches(1, 0), strict=True):
        np.testing.assert_allclose(found[0]["frames_1"], wanted[0]["frames_1"], rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(found[0]["frame_length"], wanted[0]["frame_length"])
    assert data.report()["features"]["train"]["computed_anew"] > 0


def test_audio_that_can_not_be_read_has_no_weight(run, tmp_path):
    config, model, _ = run
    audio = Path(config.data.root) / "0.wav"
    contents = audio.read_bytes()
    audio.write_bytes(b"no audio")
    try:
        for _ in range(2):  # computed, and read from the files
            data, _ = fill(run, tmp_path)
            rows = [(name, weight) for number, (_, _, weights) in enumerate(data.training_batches(0, 0))
                    for name, weight in zip(data.ids(0, number), np.array(weights["keyword"]))]
            assert {weight for name, weight in rows if name == "tone_0"} == {0.0}
            assert {weight for name, weight in rows if name != "tone_0"} == {1.0}
            assert "tone_0" in data.report()["unreadable"]
    finally:
        audio.write_bytes(contents)


def test_training_on_frames_is_training_on_audio(corpus, tmp_path):
    plain = trainer.train(corpus, tmp_path / "plain", overrides=FROZEN)
    records = []
    cached = trainer.train(corpus, tmp_path / "cached", overrides=CACHED, on_record=records.append)
    assert records[0]["event"] == "features" and records[0]["kept"] == 24
    assert cached.metrics == pytest.approx(plain.metrics, rel=1e-3)
    expected = read_arrays(plain.output / "final.weights.h5")
    for name, value in read_arrays(cached.output / "final.weights.h5").items():
        np.testing.assert_allclose(value, expected[name], atol=1e-3, err_msg=name)
        assert name.startswith(("keyword", "speaker")) or (value == expected[name]).all()


@pytest.mark.parametrize("change, message", [
    ("training.freeze=[frontend/*]", r"backbone/.* is not frozen; put backbone/\* into training.freeze"),
    ("training.freeze=[backbone/*]", r"frontend/.* is not frozen; put frontend/\* into training.freeze"),
    ("data.augment.gain.probability=0.5", "data.augment.gain changes the audio each time; turn it off"),
    ("data.augment.silence.probability=0.5", "data.augment.silence changes the audio each time; turn it off"),
    ("data.crop_seconds=0.3", "data.crop_seconds changes the audio each time; turn it off"),
    ("frontend.time_masks=1", "frontend.time_masks changes the features each time; set it to 0"),
    ("sharing=mtan", "needs one backbone, sharing 'hard', not 'mtan'"),
])
def test_what_can_not_be_kept(corpus, change, message):
    config = load_config(corpus, [*CACHED, change])
    model = build_model(config, labels={"speaker": SPEAKERS}, training=True)
    with pytest.raises(ConfigError, match=f"^training.cache_features: {message}$"):
        check_cacheable(config, model, freeze(model, config.training.freeze))


@pytest.mark.slow
@pytest.mark.jax
def test_jax_trains_heads_on_frames(corpus, tmp_path):
    run_on_jax(AS_PROGRAM, corpus, tmp_path / "run", "outputs", *CACHED, "training.cache_gigabytes=1e-5",
               "training.rates={'*/pooling/*': 0.5}")
    assert (tmp_path / "run" / "outputs.npz").is_file()
    log = trainer.RunLog(tmp_path / "run").path.read_text()
    assert '"event": "features"' in log and '"left_out": 0' not in log
