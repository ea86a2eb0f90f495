"""Penalties: what they add, what they remember, and when a run is refused."""

import os
import signal

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo.config import ConfigError, PartConfig
from speechzoo.training import penalties as registry
from speechzoo.training import trainer
from speechzoo.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from speechzoo.training.freezing import freeze
from speechzoo.training.penalties import Penalty
from speechzoo.training.penalties.making import (check_penalties, describe_penalties, make_penalties, start_penalties)
from speechzoo.weights import LoadReport, load_weights, model_values, save_weights
from tests.multitask.test_weighting_training import make_batches, make_model, values_of
from tests.training.tiny_corpus import make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

PULLED = PartConfig("l2_sp", {"strength": 0.3, "new_strength": 0.2})
OPTIONS = ["training.epochs=1", "training.evaluate_every=100", "data.dev=[]", "training.ema_momentum=0"]


class Teacher(Penalty):
    """A toy: the outputs of a head shall be near the numbers in a file; it counts the batches that it saw."""

    source_option = "numbers"

    def __init__(self, numbers: str, head: str = "keyword", **kwargs):
        super().__init__(**kwargs)
        self.numbers, self.head = numbers, head

    def start(self, model):
        self.wanted = np.loadtxt(self.numbers, dtype=np.float32)
        self.batches = self.add_weight(name="batches", shape=(), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, model, inputs, outputs):
        self.batches.assign_add(1.0)
        return ops.mean(ops.square(self.scale * outputs[self.head] - self.wanted))


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.PENALTIES, "teacher", Teacher)
    path = tmp_path / "numbers.txt"
    path.write_text("0.5 -0.5")
    return path


def penalized(weighting, parts, missing=(), frozen=()):
    """A compiled model with penalties that started from its weights, of which a file lacked some."""
    model = make_model(weighting)
    model.penalties = make_penalties(parts)
    freeze(model, list(frozen))
    start_penalties(model, LoadReport(missing=[path for path in values_of(model) if path.startswith(tuple(missing))]
                                      if missing else []))
    model.compile(keras.optimizers.AdamW(0.05), run_eagerly=True)
    return model


def train_some(model, steps=2):
    return [model.train_on_batch(*batch, return_dict=True) for batch in make_batches()[:steps]]


@pytest.mark.parametrize("weighting", ["uncertainty", "pcgrad"])
def test_l2_sp_is_its_formula_outside_of_the_weighting(weighting):
    model = penalized(weighting, [PULLED], missing=["gender/"], frozen=["backbone/block_1_*"])
    start = values_of(model)
    train_some(model)
    value = 0.0
    for variable in model.trainable_variables:
        if variable.path.startswith("gender/"):
            value += 0.5 * 0.2 * np.sum(np.square(np.array(variable)))
        elif not variable.path.startswith("weighting/"):
            value += 0.5 * 0.3 * np.sum(np.square(np.array(variable) - start[variable.path]))
    batch = make_batches()[0]
    assert value > 0.01
    logs = model.test_on_batch(*batch, return_dict=True)
    model.reset_metrics()
    assert float(model.extra_losses(batch[0], None)[-1]) == pytest.approx(value, rel=1e-4)
    losses, rows = model.task_losses(batch[1], model(batch[0]), batch[2])
    assert logs["loss"] == pytest.approx(float(model.weighting(losses, model.labelled(rows), training=False)), rel=1e-5)


def test_l2_sp_pulls_back():
    """With nothing else to gain, weights go back to where they started, and new ones to zero."""
    model = penalized("static", [PULLED], missing=["gender/"])
    start = values_of(model)
    train_some(model)
    moved = values_of(model)
    model.compile(keras.optimizers.SGD(1.0), loss_weights=dict.fromkeys(model.heads, 0.0), run_eagerly=True)
    train_some(model, 1)
    for path, value in values_of(model).items():
        if path.startswith("gender/"):
            np.testing.assert_allclose(value, 0.8 * moved[path], atol=1e-5, err_msg=path)
        elif "moving" not in path:
            np.testing.assert_allclose(value, moved[path] + 0.3 * (start[path] - moved[path]), atol=1e-5, err_msg=path)


def test_patterns_choose_what_is_pulled():
    model = penalized("static", [PartConfig("l2_sp", {"strength": 0.3, "patterns": ["backbone/conv_1/*"]})])
    strengths = {path: float(value) for path, value in model.penalties[0].strengths.items()}
    assert {path for path, strength in strengths.items() if strength} == {"backbone/conv_1/kernel"}
    with pytest.raises(ConfigError, match=r"training.penalties: l2_sp: patterns: no weight that trains matches 'conv/\*'"):
        penalized("static", [PartConfig("l2_sp", {"patterns": ["conv/*"]})])


def test_their_weights_are_in_checkpoints_and_not_in_weights_files(tmp_path, teacher):
    parts = [PULLED, PartConfig("teacher", {"numbers": str(teacher)}), PULLED]
    model = penalized("static", parts)
    plain = make_model("static")
    assert model_values(model).keys() == model_values(plain).keys()
    train_some(model)
    save_weights(model, tmp_path / "weights.h5")
    assert load_weights(plain, tmp_path / "weights.h5").complete
    save_checkpoint(tmp_path, model, RunState())
    straight = [train_some(model)[-1]["loss"], values_of(model)]
    again = penalized("static", parts)
    for weight in again.weights:
        weight.assign(ops.zeros_like(weight))
    load_checkpoint(tmp_path, again)
    assert float(again.penalties[1].batches) == 2.0 and float(again.penalties[1].scale) != 1.0
    resumed = [train_some(again)[-1]["loss"], values_of(again)]
    assert resumed[0] == straight[0]
    for path, value in straight[1].items():
        np.testing.assert_array_equal(resumed[1][path], value, err_msg=path)
    with pytest.raises(ValueError, match="belongs to another model or optimizer"):
        load_checkpoint(tmp_path, penalized("static", parts[:2]))


def test_what_changed_is_said(tmp_path, teacher):
    def described(*parts):
        return describe_penalties(parts, make_penalties(parts))

    one = described(PULLED, PartConfig("teacher", {"numbers": str(teacher)}))
    moved = teacher.rename(tmp_path / "moved.txt")
    check_penalties(one, described(PULLED, PartConfig("teacher", {"numbers": str(moved)})), tmp_path)
    moved.write_text("1 2")
    with pytest.raises(ValueError, match="was trained with another file of penalty 'teacher' .SHA-256 .*undo"):
        check_penalties(one, described(PULLED, PartConfig("teacher", {"numbers": str(moved)})), tmp_path)
    with pytest.raises(ValueError, match=r"was trained with training.penalties \[l2_sp strength=0.3 new_strength=0.2, "
                                         r"teacher\], not \[\]"):
        check_penalties(one, [], tmp_path)
    with pytest.raises(ValueError, match=r"training.penalties \[\], not \[l2_sp strength=1\]"):
        check_penalties([], described(PartConfig("l2_sp", {"strength": 1})), tmp_path)


@pytest.mark.parametrize("part, message", [
    (PartConfig("l2"), "unknown penalty 'l2'; did you mean 'l2_sp'"),
    (PartConfig("l2_sp", {"strenth": 1}), "penalty 'l2_sp' has no option 'strenth'; did you mean 'strength'"),
    (PartConfig("l2_sp", {"strength": -1}), "training.penalties: l2_sp: strength -1 and .* must be 0 or more"),
    (PartConfig("teacher", {"numbers": "gone.txt"}), "'teacher' needs its numbers gone.txt, and there is no such file"),
    (PartConfig("teacher"), "training.penalties: .*missing.*numbers"),
])
def test_what_can_not_be_made(part, message, teacher):
    with pytest.raises(ConfigError, match=message) as caught:
        make_penalties([part])
    assert "\n" not in str(caught.value)


def test_a_run_with_a_teacher(tmp_path, teacher, monkeypatch):
    """Its log has the penalty, and it goes on with the same teacher only."""
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    corpus, records = make_corpus(tmp_path), []
    options = [*OPTIONS, f"training.penalties=[{{type: teacher, numbers: {teacher}}}]"]

    def stop(record):
        records.append(record)
        if record["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.train(corpus, tmp_path / "run", overrides=options, on_record=stop).ended == "interrupted"
    assert all(record["penalty"] > 0 for record in records if record["event"] == "train")
    with pytest.raises(ValueError, match=r"was trained with training.penalties \[teacher\], not \[\]"):
        trainer.train(corpus, tmp_path / "run", overrides=OPTIONS)
    teacher.write_text("1 2")
    with pytest.raises(ValueError, match="was trained with another file of penalty 'teacher'"):
        trainer.train(corpus, tmp_path / "run", overrides=options)
    teacher.unlink()
    with pytest.raises(ConfigError, match="'teacher' needs its numbers .*, and there is no such file"):
        trainer.train(corpus, tmp_path / "run", overrides=options)
    with pytest.raises(ConfigError, match="'l2_sp' needs weights that the run starts from; give a weights file"):
        trainer.train(corpus, tmp_path / "new", overrides=[*OPTIONS, "training.penalties=[{type: l2_sp}]"])
