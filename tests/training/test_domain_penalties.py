"""Domains that shall be alike: the formulas by hand, a problem that only they solve, and a run that has them."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo.config import ConfigError, PartConfig
from speechzoo.layers.gradient_reversal import reverse_gradient
from speechzoo.training import trainer
from speechzoo.training.penalties import CORAL, MMD, Adversarial
from speechzoo.training.penalties.making import make_penalties
from speechzoo.training.penalties.mmd import WIDTHS
from speechzoo.weights import read_arrays
from tests.training.tiny_corpus import make_corpus
from tests.training.toy_domains import draw, train

ROOT = Path(__file__).parents[2]


class Channels:
    """What `start` asks of a model: how many channels the blocks have."""

    def __init__(self, penalty, channels):
        self.output = {penalty.tap: np.zeros((1, 1, channels))}


def started(penalty, channels=3, domains=("north", "south", "west"), steps=100):
    penalty.values, penalty.total_steps = {penalty.label: list(domains)}, steps
    penalty.start(Channels(penalty, channels))
    return penalty


def batch_of(penalty, rows=7, frames=5, channels=3, seed=0):
    """Frames with padding, of which rows 5 and 6 count nowhere."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((rows, frames, channels)).astype(np.float32) * [1.0, 2.0, 0.5]
    lengths = np.int32([5, 3, 1, 4, 2, 5, 5])
    numbers = np.int32([0, 1, 1, 0, 2, -1, -1])
    return {penalty.domain_input: numbers}, {penalty.tap: values.astype(np.float32), "frame_length": lengths}


# -- the formulas ------------------------------------------------------------------------------------------------------

def test_the_reversal_turns_the_gradient_round():
    """Against differences: the values are the same, the gradient is -factor times the numeric one."""
    import tensorflow as tf

    point, factor = np.float64([[0.3, -1.2], [0.7, 0.1]]), 0.7

    def loss(values):
        return ops.sum(ops.sin(values) * values)

    variable = tf.Variable(point)
    with tf.GradientTape() as tape:
        reversed_ = reverse_gradient(variable.value() if callable(variable.value) else variable, factor)
        total = loss(reversed_)
    np.testing.assert_allclose(reversed_.numpy(), point, rtol=1e-12)
    found = tape.gradient(total, variable).numpy()
    for place in np.ndindex(*point.shape):
        step = np.zeros_like(point)
        step[place] = 1e-6
        numeric = (float(loss(point + step)) - float(loss(point - step))) / 2e-6
        assert found[place] == pytest.approx(-factor * numeric, rel=1e-6)


def test_the_reversal_grows_as_in_the_paper():
    penalty = started(Adversarial(2, strength=0.5), steps=100)
    found = []
    for steps in (0, 50, 100, 150):
        penalty.steps.assign(steps)
        found.append(float(penalty.factor()))
    expected = [0.5 * (2 / (1 + np.exp(-10 * progress)) - 1) for progress in (0, 0.5, 1, 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_adversary_s_loss_by_hand():
    penalty = started(Adversarial(2, label="speaker", hidden_size=4))
    inputs, outputs = batch_of(penalty)
    (kernel, bias), (logits_kernel, logits_bias) = (map(np.array, penalty.adversary[name]) for name in ("hidden", "logits"))
    losses = []
    for row, number in enumerate(inputs[penalty.domain_input]):
        if number >= 0:
            mean = outputs[penalty.tap][row, :outputs["frame_length"][row]].mean(0)
            logits = np.maximum(mean @ kernel + bias, 0) @ logits_kernel + logits_bias
            losses.append(np.log(np.exp(logits).sum()) - logits[number])
    assert float(penalty.call(None, inputs, outputs)) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(penalty.steps) == 1


def test_coral_by_hand():
    penalty = started(CORAL(1, ["south", "west"], strength=3.0))
    inputs, outputs = batch_of(penalty)

    def covariance(domains):
        return np.cov(np.concatenate([outputs[penalty.tap][row, :outputs["frame_length"][row]] for row, number in
                                      enumerate(inputs[penalty.domain_input]) if number in domains]).T)

    expected = 3.0 * np.sum((covariance([0]) - covariance([1, 2])) ** 2) / (4 * 3 ** 2)
    assert float(penalty.call(None, inputs, outputs)) == pytest.approx(expected, rel=1e-5)
    inputs[penalty.domain_input] = np.where(inputs[penalty.domain_input] == 0, -1, inputs[penalty.domain_input])
    assert float(penalty.call(None, inputs, outputs)) == 0.0  # no source in the batch


def test_mmd_by_hand():
    penalty = started(MMD(1, ["south", "west"], strength=2.0))
    inputs, outputs = batch_of(penalty)
    means = np.stack([frames[:length].mean(0) for frames, length in
                      zip(outputs[penalty.tap].astype(np.float64), outputs["frame_length"])])
    source, target = means[[0, 3]], means[[1, 2, 4]]
    everything = np.concatenate([source, target])
    mean = np.mean([np.sum((one - other) ** 2) for place, one in enumerate(everything)
                    for other_place, other in enumerate(everything) if place != other_place])

    def kernel(one, other):
        return np.mean([np.exp(-np.sum((one - other) ** 2) / (width * mean)) for width in WIDTHS])

    def within(rows):
        return np.mean([kernel(one, other) for place, one in enumerate(rows) for number, other in enumerate(rows)
                        if place != number])

    between = np.mean([kernel(one, other) for one in source for other in target])
    expected = 2.0 * (within(source) + within(target) - 2 * between)
    assert float(penalty.call(None, inputs, outputs)) == pytest.approx(expected, rel=1e-5)
    inputs[penalty.domain_input][0] = -1
    assert float(penalty.call(None, inputs, outputs)) == 0.0  # one source recording says nothing of how they spread


# -- a problem with a known answer -------------------------------------------------------------------------------------

@pytest.mark.parametrize("make, least", [
    (lambda: [], None), (lambda: [Adversarial(1, name="adversarial")], 0.9),
    (lambda: [CORAL(1, "target", strength=1.0, name="coral")], 0.9), (lambda: [MMD(1, "target", strength=1.0, name="mmd")], 0.9),
], ids=["source only", "adversarial", "coral", "mmd"])
def test_what_only_the_penalties_solve(make, least):
    model = train(make())
    assert model.accuracy(*draw(500, False, 998)) > 0.9
    found = model.accuracy(*draw(500, True, 999))
    assert found < 0.6 if least is None else found > least


@pytest.mark.jax
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_solves_it_too():
    process = subprocess.run([sys.executable, "-m", "tests.training.toy_domains"], capture_output=True, text=True, cwd=ROOT,
                             env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"})
    assert process.returncode == 0, process.stderr
    found = dict(line.split() for line in process.stdout.splitlines())
    assert found.keys() == {"adversarial", "coral", "mmd"} and all(float(value) > 0.9 for value in found.values()), found


# -- runs --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Tones with labels from one corpus, and without from another."""
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    config = make_corpus(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "tones.jsonl").read_text().splitlines()]
    there = [{"corpus": "tones", **line} for line in lines]
    (tmp_path / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in there))
    (tmp_path / "kitchen.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return config


def options(*penalties, target="labels: [], default_labels: {corpus: kitchen}"):
    return ["training.epochs=2", "training.evaluate_every=100", "training.checkpoint_every=3", "data.dev=[]",
            "training.ema_momentum=0", "training.sort_first_epoch=false",
            f"data.train=[{{manifest: tones.jsonl, split: train}}, {{manifest: kitchen.jsonl, {target}}}]",
            f"training.penalties={json.dumps(list(penalties))}"]


ALL = ({"type": "adversarial", "block": 1}, {"type": "coral", "block": 1, "target": "kitchen"},
       {"type": "mmd", "block": 1, "target": ["kitchen"]})


def test_a_run_goes_on_exactly_and_leaves_nothing_in_the_model(corpus, tmp_path):
    records = []
    straight = trainer.train(corpus, tmp_path / "straight", overrides=options(*ALL), on_record=records.append)
    assert all(np.isfinite(record["penalty"]) and record["penalty"] > 0 for record in records if record["event"] == "train")
    report = json.loads((tmp_path / "straight" / "data.json").read_text())
    assert report["adversarial"] == {"kitchen": 24, "tones": 18} == report["coral"]
    assert report["train"]["labels"]["keyword"] == 18 and report["train"]["utterances"] == 42

    def stop(record):
        if record["event"] == "train" and record["step"] == straight.total_steps // 2 + 1:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.train(corpus, tmp_path / "cut", overrides=options(*ALL), on_record=stop).ended == "interrupted"
    trainer.train(corpus, tmp_path / "cut", overrides=options(*ALL))
    one, other = (read_arrays(tmp_path / name / "final.weights.h5") for name in ("straight", "cut"))
    assert one.keys() == other.keys() and not any("adversarial" in path or "coral" in path for path in one)
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path], err_msg=path)


@pytest.mark.parametrize("penalties, target, message", [
    (ALL[:1], "labels: []", "'adversarial' needs two values of corpus or more in data.train, which has only 'tones'"),
    ([{**ALL[1], "target": "kichen"}], "labels: [], default_labels: {corpus: kitchen}",
     "'coral': no recording of data.train has corpus 'kichen'; did you mean 'kitchen'"),
    ([{**ALL[2], "target": ["kitchen", "tones"]}], "labels: [], default_labels: {corpus: kitchen}",
     "'mmd': all of data.train is target; leave one of kitchen, tones out"),
])
def test_what_can_not_be_trained(corpus, tmp_path, penalties, target, message):
    with pytest.raises(ConfigError, match=message):
        trainer.train(corpus, tmp_path / "run", overrides=options(*penalties, target=target))


@pytest.mark.parametrize("options, message", [
    ({"type": "adversarial"}, "missing.*block"), ({"type": "coral", "block": 1}, "missing.*target"),
    ({"type": "mmd", "block": 1, "target": "b", "strength": -1}, "mmd: strength -1 must be 0 or more"),
    ({"type": "adversarial", "block": 1, "hidden_size": 0}, "hidden_size 0 1 or more"),
])
def test_options(options, message):
    with pytest.raises(ConfigError, match=message):
        make_penalties([PartConfig(options.pop("type"), options)])
    keras.backend.clear_session()
