"""The methods on problems whose answers are known."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from speechzoo.heads.relation import RelationScore
from speechzoo.meta.gradients import compiled, value_and_gradients
from speechzoo.meta.losses import open_set_cross_entropy
from speechzoo.meta.methods import (ANIL, MAML, FineTuning, FirstOrderMAML, Logistic, MetaSGD, NearestCentroid,
                                    Prototypical, Relation, Reptile)


def dense_network(sizes, inputs=1, seed=1):
    keras.utils.set_random_seed(seed)
    given = keras.Input((inputs,))
    outputs = given
    for number, size in enumerate(sizes):
        last = number == len(sizes) - 1
        outputs = keras.layers.Dense(size, activation=None if last else "tanh", name=f"layer_{number}")(outputs)
    return keras.Model(given, outputs)


def squared_error(outputs, targets):
    return ops.mean(ops.square(outputs - targets))


def quadratic(method, **options):
    """A task whose second-order gradient can be worked out by hand: y = w x, w = 0.5, no bias."""
    given = keras.Input((1,))
    network = keras.Model(given, keras.layers.Dense(1, use_bias=False, name="only")(given))
    network.layers[-1].kernel.assign([[0.5]])
    one = np.ones((1, 1), np.float32)
    task = {"support": 2 * one, "support_targets": 3 * one, "query": one, "query_targets": 2 * one}
    method = method(network, task_loss=squared_error, **options)
    return method, [variable.value for variable in method.variables], task


def test_the_second_order_gradient_is_the_one_by_hand():
    # Support: (2 w - 3)^2, slope 4 (2 w - 3), curvature 8. Two steps of 0.05 from 0.5: 0.9, 1.14.
    # Query: (phi - 2)^2, slope 2 (phi - 2); d phi / d w = (1 - 0.05 * 8)^2.
    for kind, factor in ((MAML, 0.6 ** 2), (FirstOrderMAML, 1.0)):
        method, values, task = quadratic(kind, inner_rate=0.05, steps=2)
        loss, (slope,) = method.gradients(values, task)
        assert float(loss) == pytest.approx(0.86 ** 2, rel=1e-5)
        assert float(slope[0, 0]) == pytest.approx(factor * 2 * -0.86, rel=1e-5)
    method, values, task = quadratic(MetaSGD, inner_rate=0.05)
    loss, (slope, of_rate) = method.gradients(values, task)
    # One step, to 0.9: d phi / d rate = -(4 (2 w - 3)) = 8.
    assert float(slope[0, 0]) == pytest.approx(0.6 * 2 * -1.1, rel=1e-5)
    assert float(of_rate[0, 0]) == pytest.approx(8 * 2 * -1.1, rel=1e-5)
    method, values, task = quadratic(Reptile, inner_rate=0.05, steps=1)
    # Both recordings at once: ((2 w - 3)^2 + (w - 2)^2) / 2 has slope (4 * -2 + 2 * -1.5) / 2.
    assert float(method.gradients(values, task)[1][0][0, 0]) == pytest.approx(-5.5, rel=1e-5)


def test_the_second_order_gradient_is_that_of_finite_differences():
    random = np.random.default_rng(1)
    network = dense_network([4, 3], inputs=2)
    method = MAML(network, inner_rate=0.3, steps=3)
    task = {"support": random.standard_normal((6, 2)).astype(np.float32), "support_targets": np.arange(6, dtype=np.int32) % 3,
            "query": random.standard_normal((5, 2)).astype(np.float32),
            "query_targets": np.array([0, 1, 2, -1, 0], np.int32)}
    values = [variable.value for variable in method.variables]
    _, slopes = method.gradients(values, task)
    first = FirstOrderMAML(network, inner_rate=0.3, steps=3).gradients(values, task)[1]
    for number in (0, 2):
        direction = random.standard_normal(values[number].shape).astype(np.float32)
        beside = [float(method.loss([value + size * direction if index == number else value
                                     for index, value in enumerate(values)], task)) for size in (1e-2, -1e-2)]
        expected = (beside[0] - beside[1]) / 2e-2
        assert float(ops.sum(slopes[number] * direction)) == pytest.approx(expected, rel=0.02, abs=1e-4)
    assert not np.allclose(slopes[0], first[0], rtol=0.05)


def test_anil_adapts_the_last_layer_alone():
    network = dense_network([4, 3], inputs=2)
    values = [variable.value for variable in network.trainable_variables]
    inputs, targets = np.eye(2, dtype=np.float32), np.array([0, 1], np.int32)
    adapted = ANIL(network, inner_rate=0.5).adapt(values, inputs, targets, 2)
    moved = [not np.allclose(before, after) for before, after in zip(values, adapted)]
    assert moved == [False, False, True, True]


def sinusoid(random):
    """A task of Finn et al. 2017, section 5.1, with a fixed frequency: amplitude and phase differ."""
    amplitude, phase = random.uniform(0.5, 3.0), random.uniform(0, np.pi)
    inputs = random.uniform(-3, 3, (20, 1)).astype(np.float32)
    targets = (amplitude * np.sin(inputs - phase)).astype(np.float32)
    return {"support": inputs[:10], "support_targets": targets[:10], "query": inputs[10:],
            "query_targets": targets[10:]}


@pytest.mark.parametrize("kind, options", [
    (MAML, {"steps": 1, "test_steps": 1}), (MetaSGD, {}), (Reptile, {"steps": 4, "test_steps": 1})], ids=lambda value: getattr(value, "__name__", ""))
def test_one_step_from_the_learnt_start_beats_one_from_an_ordinary_start(kind, options):
    method = kind(dense_network([20, 1]), inner_rate=0.05, task_loss=squared_error, **options)
    step = compiled(method.gradients)
    error = compiled(lambda values, task: squared_error(method.scores(values, task), task["query_targets"]))
    random, optimizer = np.random.default_rng(1), keras.optimizers.Adam(3e-3)
    tests = [sinusoid(np.random.default_rng([7, number])) for number in range(25)]

    def measured():
        values = [variable.value for variable in method.variables]
        return np.mean([float(error(values, task)) for task in tests])

    before = measured()
    for _ in range(150):
        _, slopes = step([variable.value for variable in method.variables], sinusoid(random))
        optimizer.apply(slopes, method.variables)
    assert measured() < 0.8 * before


def gaussians(random, ways=3, shots=4, size=6, unknown=2):
    """Classes are points in the first two dimensions; the others only disturb."""
    means = np.zeros((ways + 1, size))
    means[:, :2] = random.choice([-3.0, -1.5, 0.0, 1.5, 3.0], (ways + 1, 2)) + random.uniform(-0.3, 0.3, (ways + 1, 2))
    noise = np.array([0.3, 0.3] + [3.0] * (size - 2))

    def some(kinds):
        return (means[kinds] + noise * random.standard_normal((len(kinds), size))).astype(np.float32)

    targets = np.repeat(np.arange(ways, dtype=np.int32), shots)
    strangers = np.full(unknown, ways)
    return {"support": some(targets), "support_targets": targets, "query": some(np.append(targets, strangers)),
            "query_targets": np.append(targets, np.full(unknown, -1)).astype(np.int32)}


def accuracy(scores, task):
    known = task["query_targets"] >= 0
    return np.mean(np.argmax(scores, axis=1)[known] == task["query_targets"][known])


def test_prototypical_loss_is_that_of_numpy():
    network = dense_network([5], inputs=6)
    method, task = Prototypical(network, 3), gaussians(np.random.default_rng(2))
    values = [variable.value for variable in method.variables]
    kernel, bias = (np.asarray(value, np.float64) for value in values)
    support, query = task["support"] @ kernel + bias, task["query"] @ kernel + bias
    prototypes = np.stack([support[task["support_targets"] == kind].mean(axis=0) for kind in range(3)])
    logits = -((query[:, None] - prototypes) ** 2).sum(axis=-1)
    np.testing.assert_allclose(method.scores(values, task), logits, rtol=1e-4)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    # Of what is unknown the mean over the classes counts: its target is uniform.
    each = [-row.mean() if target < 0 else -row[target] for row, target in zip(log, task["query_targets"])]
    assert float(method.loss(values, task)) == pytest.approx(np.mean(each), rel=1e-4)


def test_relation_loss_is_that_of_numpy():
    network, relation = dense_network([5], inputs=6), RelationScore()
    relation.build((3, 5), (None, 5))
    method, task = Relation(network, 3, relation), gaussians(np.random.default_rng(2))
    values = [variable.value for variable in method.variables]
    kernel, bias, left, right, right_bias, score, score_bias = (np.asarray(value, np.float64) for value in values)
    support, query = task["support"] @ kernel + bias, task["query"] @ kernel + bias
    means = np.stack([support[task["support_targets"] == kind].mean(axis=0) for kind in range(3)])
    pairs = np.concatenate([np.repeat(means[None], len(query), 0), np.repeat(query[:, None], 3, 1)], axis=-1)
    scores = (np.maximum(pairs @ np.concatenate([left, right]) + right_bias, 0) @ score + score_bias)[..., 0]
    np.testing.assert_allclose(method.scores(values, task), scores, rtol=1e-3, atol=1e-4)
    wanted = np.equal(task["query_targets"][:, None], np.arange(3))
    assert float(method.loss(values, task)) == pytest.approx(np.mean((1 / (1 + np.exp(-scores)) - wanted) ** 2), rel=1e-3)


@pytest.mark.parametrize("name", ["prototypical", "relation"])
def test_episodes_teach_which_dimensions_matter(name):
    network = dense_network([8, 4], inputs=6)
    relation = RelationScore()
    relation.build((3, 4), (None, 4))
    method = Prototypical(network, 3) if name == "prototypical" else Relation(network, 3, relation)
    step, scores = compiled(method.gradients), compiled(method.scores)
    tests = [gaussians(np.random.default_rng([7, number])) for number in range(30)]

    def measured():
        values = [variable.value for variable in method.variables]
        return np.mean([accuracy(scores(values, task), task) for task in tests])

    before, random, optimizer = measured(), np.random.default_rng(1), keras.optimizers.Adam(1e-2)
    for _ in range(120):
        _, slopes = step([variable.value for variable in method.variables], gaussians(random))
        optimizer.apply(slopes, method.variables)
    assert measured() > before + 0.1 and measured() > 0.7


def test_baselines():
    task = gaussians(np.random.default_rng(3), size=2, unknown=0)
    mean, deviation = np.array([0.5, -0.5]), np.array([2.0, 1.0])
    support, query = ((task[name] - mean) / deviation for name in ("support", "query"))
    centroids = np.stack([support[task["support_targets"] == kind].mean(axis=0) for kind in range(3)])
    distances = ((query[:, None] - centroids) ** 2).sum(axis=-1)
    scores = NearestCentroid(mean, deviation, 3).scores([], task)
    # Up to what is the same for all classes.
    np.testing.assert_allclose(scores - scores[:, :1], -(distances - distances[:, :1]) / np.sqrt(2), rtol=1e-6)
    logistic = Logistic(mean, deviation, 3)
    assert accuracy(logistic.scores([], task), task) == 1.0
    kernel, bias = logistic.fit(support, task["support_targets"], 3)
    posteriors = np.exp(support @ kernel + bias)
    error = posteriors / posteriors.sum(axis=1, keepdims=True) - np.eye(3)[task["support_targets"]]
    # At the minimum there is no slope.
    np.testing.assert_allclose(support.T @ error / len(error) + logistic.strength * kernel, 0, atol=1e-4)
    network = dense_network([3], inputs=2)
    tuned = FineTuning(network, rate=0.1)
    assert accuracy(tuned.scores([variable.value for variable in tuned.variables], task), task) == 1.0


def test_adam_of_fine_tuning_is_that_of_keras():
    network, task = dense_network([3], inputs=2), gaussians(np.random.default_rng(3), size=2)
    method = FineTuning(network, rate=0.01, steps=4)
    expected = [variable.value for variable in network.trainable_variables]
    tuned = method._tune(expected, task)
    optimizer = keras.optimizers.Adam(0.01)
    for _ in range(4):
        _, slopes = value_and_gradients(
            lambda now: open_set_cross_entropy(method.forward(now, task["support"]), task["support_targets"]),
            [variable.value for variable in network.trainable_variables])
        optimizer.apply(slopes, network.trainable_variables)
    for one, other in zip(tuned, network.trainable_variables):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.jax
def test_gradients_on_jax_are_the_same():
    pytest.importorskip("jax")
    result = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, "-k",
                             "second_order or numpy"], cwd=Path(__file__).parents[2], capture_output=True, text=True,
                            check=False, env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"})
    assert result.returncode == 0 and "4 passed" in result.stdout, result.stdout
