"""Runs that learn without labels (docs/pretraining.md): from the command line, resumed, and what starts from them."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from speechzoo import cli
from speechzoo.config import ConfigError, HeadConfig, load_config
from speechzoo.pretraining import OBJECTIVES
from speechzoo.pretraining.config import pretraining_config
from speechzoo.training import trainer
from speechzoo.training.features import check_cacheable
from speechzoo.training.run_log import read_log
from speechzoo.training.trainer import train
from speechzoo.weights import assign_values, model_values, read_arrays
from tests.helpers import tone
from tests.tiny_models import build, streaming, tiny
from tests.training.tiny_corpus import make_corpus

OPTIONS = ["training.epochs=2", "training.evaluate_every=6", "training.checkpoint_every=3", "training.ema_momentum=0"]
AUDIO = {"audio": np.stack([tone(0.5, 300, seed=1), tone(0.5, 900, seed=2)]), "audio_length": np.array([8000, 6000], np.int32)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The tones of `make_corpus` without any label."""
    path = make_corpus(tmp_path_factory.mktemp("corpus"))
    manifest = path.parent / "tones.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    kept = ("id", "audio", "duration", "split")
    (path.parent / "unlabelled.jsonl").write_text(
        "".join(json.dumps({key: line[key] for key in kept}) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def pretrained(corpus, tmp_path_factory):
    """The folder of a run from the command line."""
    folder = tmp_path_factory.mktemp("pretrained")
    data = "data.train=[{manifest: unlabelled.jsonl, split: train}]", "data.dev=[{manifest: unlabelled.jsonl, split: dev}]"
    with pytest.raises(SystemExit) as exit:
        cli.main(["pretrain", str(corpus), *OPTIONS, *data, "--objective", "best_rq", "--out", str(folder)])
    assert exit.value.code == 0
    return folder


def test_every_recording_teaches_and_is_measured_on_dev(pretrained):
    data = json.loads((pretrained / "data.json").read_text())
    assert data["train"]["labels"] == {"best_rq": 18} and data["dev"]["labels"] == {"best_rq": 6}
    log = read_log(pretrained / "log.jsonl")
    assert {"best_rq/loss", "best_rq/accuracy"} <= log[-1].keys()
    losses = [record["best_rq/loss"] for record in log if record["event"] == "dev"]
    assert losses[-1] < losses[0] < 1.1 * np.log(8192)


def test_training_starts_from_it(corpus, pretrained, tmp_path):
    result = train(corpus, tmp_path, overrides=[*OPTIONS, "training.learning_rate=1e-9", "training.weight_decay=0"],
                   weights=pretrained / "final.weights.h5", heads=["keyword"])
    report = result.load_report
    assert {path.split("/")[0] for path in report.missing} == {"keyword"} and not report.mismatched
    assert {path.split("/")[0] for path in report.unexpected} == {"best_rq"}
    before, after = (read_arrays(folder / "final.weights.h5") for folder in (pretrained, tmp_path))
    kernels = [name for name in before if name.startswith("backbone/") and name.endswith("kernel")]
    assert kernels
    for name in kernels:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)


def test_a_model_for_use_says_what_a_pretrained_run_is_for(pretrained):
    from speechzoo.registry import load

    with pytest.raises(ConfigError, match="heads for training only .best_rq.*speechzoo train CONFIG --weights"):
        load(pretrained)


def test_an_interrupted_run_ends_with_the_same_weights(corpus, tmp_path, monkeypatch):
    config = pretraining_config(load_config(corpus, [*OPTIONS, "backbone.channels=4"]), "masked_prediction")
    whole = train(config, tmp_path / "whole")
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)

    def end(record):
        if record["step"] == 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(config, tmp_path / "cut", on_record=end)
    result = train(config, tmp_path / "cut")
    assert result.metrics == pytest.approx(whole.metrics, abs=1e-6)
    one, two = (read_arrays(tmp_path / name / "final.weights.h5") for name in ("whole", "cut"))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-6, err_msg=name)


def test_labelled_heads_are_as_they_are_without_an_objective():
    heads = {"keyword": {}, "guess": {"type": "best_rq", "codebook_size": 20, "mask_probability": 0.2}}
    both, alone = build(tiny(heads=heads), training=True), build(tiny(heads=heads))
    assert list(both.heads) == ["keyword", "guess"] and list(alone.heads) == ["keyword"]
    assert not assign_values(alone, model_values(both), "both", strict=False).missing
    outputs = both(AUDIO)
    np.testing.assert_allclose(outputs["keyword"], alone(AUDIO)["keyword"], atol=1e-6)
    assert outputs["guess"].shape == (2, 2)
    np.testing.assert_array_equal(outputs["guess"], both(AUDIO)["guess"])
    assert list(both.forward_unpadded(AUDIO["audio"])) == ["keyword"]


def test_one_step_teaches_the_backbone_and_no_front_end():
    model = build(tiny(frontend="pcen", heads={"guess": {"type": "masked_prediction"}}), training=True)
    model.compile(keras.optimizers.SGD(0.1))
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    model.train_on_batch(AUDIO, {"guess": np.zeros(2, np.int32)})
    moved = {weight.path.split("/")[0] for weight in model.trainable_weights if (np.array(weight) != before[weight.path]).any()}
    assert moved == {"backbone", "guess"}


def test_a_model_with_an_objective_is_saved_and_loaded(tmp_path):
    model = build(streaming("ds_cnn", heads={"next": {"type": "apc"}, "keyword": {"block": 1}}), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in ("next", "keyword"):
        np.testing.assert_array_equal(model(AUDIO)[name], loaded(AUDIO)[name])


def test_what_an_objective_can_not_teach_is_refused():
    for config, message in (
            (tiny(heads={"next": {"type": "apc"}}), "head 'next' predicts what comes next, which this network sees"),
            (tiny(frontend="waveform", backbone="wav2vec2", heads={"guess": {"type": "best_rq"}}), "'waveform' hands samples on"),
            (tiny(heads={"guess": {"type": "best_rq"}, "keyword": {}}, sharing={"type": "soft"}), "sharing 'hard' has it")):
        with pytest.raises(ConfigError, match=message):
            build(config, training=True)
    model = build(tiny(frontend={"type": "log_mel", "normalization": "none"}, heads={"guess": {"type": "best_rq"}}), training=True)
    frozen = {weight.path for weight in model.weights}
    with pytest.raises(ConfigError, match="cache_features: the backbone doesn't train, and head 'guess' teaches it"):
        check_cacheable(model.zoo_config, model, frozen)


def test_the_config_of_a_run_without_labels(corpus):
    config = load_config(corpus, ["training.freeze=[frontend/*]", "training.early_stop_metric=keyword/accuracy",
                                  "training.epochs=7", "weighting={type: uncertainty}", "training.cache_features=true"])
    made = pretraining_config(config, "best_rq")
    assert made.heads == {"best_rq": HeadConfig("best_rq")}
    assert (made.weighting.type, made.sharing.type) == ("static", "hard")
    training = made.training
    assert (training.epochs, training.freeze, training.early_stop_metric, training.cache_features) == (7, [], "loss", False)
    assert made.data == config.data and made.frontend == config.frontend
    own = HeadConfig("best_rq", options={"codebook_size": 99})
    kept = pretraining_config(dataclasses.replace(config, heads={**config.heads, "rq": own}), "best_rq")
    assert kept.heads == {"rq": own}
    with pytest.raises(ConfigError, match="unknown objective 'bestrq'; did you mean 'best_rq'"):
        pretraining_config(config, "bestrq")
    assert set(OBJECTIVES) == {"apc", "best_rq", "masked_prediction"}
