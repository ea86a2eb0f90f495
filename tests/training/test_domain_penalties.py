"""Domains that shall be alike: the formulas by hand, a problem that only they solve, and a run that has them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo.config import ConfigError, PartConfig, load_config
from speechzoo.layers.gradient_reversal import reverse_gradient
from speechzoo.training import trainer
from speechzoo.training.penalties import CORAL, MMD, Adversarial
from speechzoo.training.penalties.making import make_penalties
from speechzoo.training.penalties.mmd import WIDTHS
from speechzoo.training.prepare import prepare_run
from speechzoo.weights import read_arrays
from tests.training.tiny_corpus import make_corpus
from tests.training.toy_domains import SOLVERS, draw, train

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
        reversed_ = reverse_gradient(tf.identity(variable), factor)
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

def test_who_hears_the_source_alone_fails():
    model = train([], keras.optimizers.Adam(0.01), steps=200)
    assert model.accuracy(*draw(500, False, 998)) > 0.97
    assert model.accuracy(*draw(500, True, 999)) < 0.75


@pytest.mark.parametrize("solver", SOLVERS)
def test_who_hears_both_domains_does_not(solver):
    assert train(*SOLVERS[solver]()).accuracy(*draw(500, True, 999)) > 0.9


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


def test_a_run_has_them_and_its_model_has_nothing_of_them(corpus, tmp_path):
    records = []
    run = trainer.train(corpus, tmp_path / "run", overrides=options(*ALL[:2]), on_record=records.append)
    steps = [record["penalty"] for record in records if record["event"] == "train"]
    assert len(steps) == run.total_steps and all(np.isfinite(steps)) and min(steps) > 0
    report = json.loads((tmp_path / "run" / "data.json").read_text())
    assert report["adversarial"] == report["coral"] and report["coral"]["utterances"] == {"kitchen": 24, "tones": 18}
    assert 0.5 < report["coral"]["mixed_batches"] <= 1  # of three rows, some batches have one kind
    assert report["train"]["labels"]["keyword"] == 18 and report["train"]["utterances"] == 42
    weights = read_arrays(tmp_path / "run" / "final.weights.h5")
    assert not any("adversarial" in path or "coral" in path for path in weights)


def test_batches_have_their_domains_wherever_a_run_goes_on(corpus, tmp_path):
    (tmp_path / "3.wav").write_bytes(b"nothing")
    run = prepare_run(load_config(corpus, options(*ALL)))
    for penalty in run.model.penalties:
        run.data.add_inputs(penalty, tmp_path)
    everything = list(run.data.training_batches(1, 0))
    plan, seen = run.data.plan.epoch(1), set()
    for (inputs, _, weights), batch in zip(everything, plan, strict=True):
        for row, (index, weight) in enumerate(zip(batch.indices, batch.weights)):
            name = run.data.plan.examples.ids[index]
            there = weight > 0 and name not in run.data.report()["unreadable"]
            expected = -1 if not there else ["kitchen", "tones"].index("kitchen" if index >= 18 else "tones")
            assert {int(inputs[f"{penalty.name}/domain"][row]) for penalty in run.model.penalties} == {expected}, name
            seen.add(expected)
            assert float(weights["keyword"][row]) == (expected == 1)
    assert seen == {-1, 0, 1}
    for (one, _, _), (other, _, _) in zip(everything[2:], run.data.training_batches(1, 2), strict=True):
        np.testing.assert_array_equal(one["mmd/domain"], other["mmd/domain"])
        np.testing.assert_array_equal(one["audio"], other["audio"])


def test_batches_of_one_domain_each_are_refused(corpus, tmp_path):
    lines = [json.loads(line) for line in (tmp_path / "tones.jsonl").read_text().splitlines()]
    kept = [line for line in lines if line["duration"] < 0.45]
    (tmp_path / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    rest = [{**line, "corpus": "kitchen"} for line in lines if line["duration"] >= 0.45]
    (tmp_path / "kitchen.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rest))
    run = prepare_run(load_config(corpus, [*options(ALL[1]), "data.bucket_seconds=[0.445, 0.6]"]))
    with pytest.raises(ConfigError, match="no batch has two values of corpus.*give data.bucket_seconds one"):
        run.data.add_inputs(run.model.penalties[0], tmp_path)


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
