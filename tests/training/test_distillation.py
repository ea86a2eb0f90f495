"""The whole of a distillation is one penalty: the one of docs/fine_tuning.md, trained, interrupted and measured."""

import os
import re
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo import load
from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training import penalties as registry
from speechzoo.training import trainer
from speechzoo.training.penalties import Penalty
from speechzoo.training.prepare import prepare_run
from speechzoo.weights import model_values, read_arrays, save_weights
from tests.training.tiny_corpus import make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

PAGE = Path(__file__).parents[2] / "docs" / "fine_tuning.md"
SHORT = ["training.epochs=1", "training.evaluate_every=100", "data.dev=[]", "training.ema_momentum=0"]


class Distillation(Penalty):
    """KL divergence of a head's classes from those of another model, nats per example at the temperature."""

    source_option = "teacher_weights"

    def __init__(self, teacher_config: str, teacher_weights: str, head: str, temperature: float = 2.0, **kwargs):
        super().__init__(**kwargs)
        self.teacher_config, self.teacher_weights = teacher_config, teacher_weights
        self.head, self.temperature = head, temperature

    def start(self, model):
        self.use_teacher(load(self.teacher_config, weights=self.teacher_weights))

    def call(self, model, inputs, outputs):
        taught = ops.log_softmax(self.teacher(inputs, training=False)[self.head] / self.temperature)
        given = ops.log_softmax(outputs[self.head] / self.temperature)
        return self.temperature ** 2 * ops.mean(ops.sum(ops.exp(taught) * (taught - given), axis=-1))


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """A config, and the overrides that make another network its teacher."""
    monkeypatch.setitem(registry.PENALTIES, "distillation", Distillation)
    config = make_corpus(tmp_path)
    keras.utils.set_random_seed(8)
    larger = tmp_path / "larger.yaml"
    larger.write_text(config.read_text().replace("channels: 8", "channels: 12"))
    save_weights(build_model(load_config(larger)), tmp_path / "teacher.h5")
    return config, [*SHORT, f"training.penalties=[{{type: distillation, teacher_config: {larger}, "
                            f"teacher_weights: {tmp_path / 'teacher.h5'}, head: keyword}}]"]


def test_the_page_shows_this_class():
    page = re.search(r"\n(class Distillation.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[1]
    assert page in Path(__file__).read_text(encoding="utf-8")


def test_the_teacher_hears_the_batch_and_stays_as_it_is(setting):
    config, overrides = setting
    run = prepare_run(load_config(config, overrides))
    penalty, = run.model.penalties
    before = [np.array(weight) for weight in penalty.teacher.weights]
    inputs, targets, weights = next(iter(run.data.training_batches(0, 0)))
    taught, given = (np.asarray(model(inputs, training=False)["keyword"]) / 2 for model in (penalty.teacher, run.model))
    taught, given = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) for logits in (taught, given))
    expected = 4 * np.mean(np.sum(taught * np.log(taught / given), -1))
    found = penalty.call(run.model, inputs, run.model(inputs, training=False))
    assert expected > 1e-3 and float(found) == pytest.approx(expected, rel=1e-3)
    run.model.train_on_batch(inputs, targets, weights)
    for value, weight in zip(before, penalty.teacher.weights):
        np.testing.assert_array_equal(np.array(weight), value)


def test_cached_features_hold_no_audio_for_a_teacher(setting):
    config, overrides = setting
    cached = ["data.augment.gain.probability=0", "frontend.frequency_masks=0", "training.cache_features=true",
              "training.freeze=[frontend/*, backbone/*]"]
    with pytest.raises(ConfigError, match="the teacher of penalty 'distillation' needs the audio"):
        prepare_run(load_config(config, [*overrides, *cached]))


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_like_one_that_was_not(setting, tmp_path, monkeypatch):
    config, overrides = setting
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)

    def stop(record):
        if record["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.train(config, tmp_path / "cut", overrides=overrides, on_record=stop).ended == "interrupted"
    arrays = read_arrays(tmp_path / "cut" / "checkpoint.h5")
    weights = {name.removeprefix("weights/") for name in arrays if name.startswith("weights/")}
    assert not any(name.startswith("penalty/") for name in arrays)
    assert weights == model_values(prepare_run(load_config(config, SHORT)).model).keys()
    for name in ("cut", "whole"):
        assert trainer.train(config, tmp_path / name, overrides=overrides).ended == "finished"
    one, other = (read_arrays(tmp_path / name / "final.weights.h5") for name in ("cut", "whole"))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
