"""Weightings of gradients against closed forms, brute force and their papers' algorithms, in NumPy."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.multitask.weighting import (WEIGHTINGS, CAGradWeighting, GradientWeighting, GradNormWeighting,
                                           IMTLWeighting, MGDAWeighting)
from speechzoo.multitask.weighting.simplex import minimize_on_simplex

GRADIENT_METHODS = [name for name, method in WEIGHTINGS.items() if issubclass(method, GradientWeighting)]


def factors(heads):
    return dict.fromkeys("abcdef"[:heads], 1.0)


def draw(heads, seed, size=7, correlation=0.0):
    """Gradients of different lengths; with a negative correlation they conflict."""
    random = np.random.default_rng(seed)
    gradients = random.standard_normal((heads, size))
    gradients[1:] += correlation * gradients[:1]
    return (gradients * 10.0 ** random.uniform(-0.5, 0.5, (heads, 1))).astype(np.float32)


@functools.cache
def compiled(name, heads, *options):
    """A method and its `combine` in a graph: without one the solvers are slow."""
    method = WEIGHTINGS[name](factors(heads), **dict(options))
    return method, tf.function(method.combine), method.get_weights()


def combine(name, gradients, losses=None, present=None, anew=True, **options):
    """What a method makes of gradients, from its initial state unless it goes on from its last."""
    method, function, initial = compiled(name, len(gradients), *options.items())
    if anew:
        method.set_weights(initial)
    ones = np.ones(len(gradients), np.float32)
    arguments = [ones if values is None else np.asarray(values, np.float32) for values in (losses, present)]
    return function(gradients.astype(np.float32), *arguments).numpy()


SAMPLES = [(heads, seed, correlation) for heads in (2, 3, 5) for seed, correlation in ((0, 0), (1, -1.5), (2, 1))]


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_absent_heads_are_as_if_the_method_did_not_know_them(name):
    gradients = draw(3, 4, correlation=-1)
    of_two = combine(name, gradients[[0, 2]])
    np.testing.assert_allclose(combine(name, gradients, present=[1, 0, 1]), of_two, rtol=2e-4)
    without = gradients.copy()
    without[1] = 0
    np.testing.assert_allclose(combine(name, without), of_two, rtol=2e-4)
    assert not combine(name, gradients, present=[0, 0, 0]).any()
    alone = combine(name, gradients, present=[0, 1, 0])
    expected = gradients[1] / (np.linalg.norm(gradients[1]) if name == "nash_mtl" else 1)
    np.testing.assert_allclose(alone, expected, rtol=2e-4)


@pytest.mark.parametrize("name", sorted(set(GRADIENT_METHODS) - {"nash_mtl"}))
def test_gradients_that_agree_are_summed(name):
    gradient = draw(1, 5)
    np.testing.assert_allclose(combine(name, np.repeat(gradient, 3, axis=0)), 3 * gradient[0],
                               rtol=1e-4)


# -- MGDA ------------------------------------------------------------------------------------------------------------

def shortest_in_hull(gradients):
    """The minimum-norm point exactly: the best of all faces of the simplex whose own solution is inside."""
    gradients, best = gradients.astype(np.float64), None
    for size in range(1, len(gradients) + 1):
        for face in itertools.combinations(range(len(gradients)), size):
            rows = gradients[list(face)]
            weights = np.linalg.solve(rows @ rows.T, np.ones(size))
            weights /= weights.sum()
            if (weights >= 0).all() and (best is None or np.linalg.norm(weights @ rows) < np.linalg.norm(best)):
                best = weights @ rows
    return best


@pytest.mark.parametrize("heads, seed, correlation", SAMPLES)
def test_mgda_finds_the_shortest_point(heads, seed, correlation):
    gradients = draw(heads, seed, correlation=correlation)
    found = combine("mgda", gradients) / heads
    expected = shortest_in_hull(gradients)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.linalg.norm(expected))
    assert (gradients @ found > 0.99 * found @ found).all()  # every head gains


def test_mgda_of_two_gradients_in_closed_form():
    for seed in range(6):
        one, two = gradients = draw(2, seed, correlation=-0.5)
        # Sener and Koltun, equation 4.
        share = np.clip((two - one) @ two / ((one - two) @ (one - two)), 0, 1)
        np.testing.assert_allclose(combine("mgda", gradients) / 2, share * one + (1 - share) * two,
                                   rtol=1e-4, atol=1e-5)


def test_mgda_normalizations():
    gradients, losses = draw(2, 1), [0.5, 3.0]
    norms = np.linalg.norm(gradients, axis=1)
    for normalization, sizes in {"l2": norms, "loss": losses, "loss+": norms * losses}.items():
        one, two = gradients / np.reshape(sizes, (2, 1))
        share = np.clip((two - one) @ two / ((one - two) @ (one - two)), 0, 1)
        found = combine("mgda", gradients, losses, normalization=normalization)
        np.testing.assert_allclose(found, 2 * (share * gradients[0] + (1 - share) * gradients[1]), rtol=1e-4)
    with pytest.raises(ValueError, match="mgda has no normalization 'l3'; known: none, l2, loss, loss"):
        MGDAWeighting(factors(2), normalization="l3")


# -- CAGrad ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("heads, seed, correlation", [sample for sample in SAMPLES if sample[0] < 4])
def test_cagrad_solves_its_problem(heads, seed, correlation):
    """By duality: no direction in the ball does better for the worst head than the least value of the dual."""
    gradients, radius = draw(heads, seed, correlation=correlation).astype(np.float64), 0.5
    found = combine("cagrad", gradients, radius=radius)
    direction, mean = found / heads * (1 + radius), gradients.mean(axis=0)
    bound = radius * np.linalg.norm(mean)
    assert np.linalg.norm(direction - mean) == pytest.approx(bound, rel=1e-3)
    ticks = np.linspace(0, 1, 2001 if heads == 2 else 301)
    grid = np.array([(*start, 1 - sum(start)) for start in itertools.product(ticks, repeat=heads - 1)
                     if sum(start) <= 1 + 1e-9])
    mixtures = grid @ gradients
    dual = (mixtures @ mean + bound * np.linalg.norm(mixtures, axis=1)).min()
    assert (gradients @ direction).min() == pytest.approx(dual, rel=2e-3, abs=1e-3 * bound * np.linalg.norm(mean))


def test_cagrad_of_radius_0_is_the_sum():
    gradients = draw(3, 0)
    np.testing.assert_allclose(combine("cagrad", gradients, radius=0.0), gradients.sum(axis=0),
                               rtol=1e-5)
    with pytest.raises(ValueError, match="cagrad needs a radius from 0 to below 1, got 1"):
        CAGradWeighting(factors(2), radius=1.0)


def test_the_simplex_solver_leaves_a_corner_it_should_leave():
    # Along w = (t, 1 - t): p t + sqrt(t^2 + (1 - t)^2) with p = 0.5, whose slope vanishes at one t.
    weights = np.asarray(minimize_on_simplex(tf.eye(2), tf.ones(2), tf.constant([0.5, 0.0])))
    t = np.linspace(0, 1, 100001)
    assert weights[0] == pytest.approx(t[np.argmin(0.5 * t + np.hypot(t, 1 - t))], abs=1e-3)


# -- Nash-MTL --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("heads, seed, correlation", SAMPLES)
def test_nash_mtl_solves_its_equation(heads, seed, correlation):
    gradients = draw(heads, seed, correlation=correlation)
    alpha = np.linalg.lstsq(gradients.T, combine("nash_mtl", gradients), rcond=None)[0]
    assert (alpha > 0).all()
    np.testing.assert_allclose(alpha * (gradients @ gradients.T @ alpha), np.ones(heads), atol=2e-2)


def test_nash_mtl_of_two_gradients_in_closed_form():
    gradients = draw(2, 3)
    one, two = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    expected = (one + two) / np.sqrt(1 + one @ two)
    np.testing.assert_allclose(combine("nash_mtl", gradients), expected, rtol=1e-3)


def test_nash_mtl_of_opposite_gradients_stays_finite():
    combined = combine("nash_mtl", np.array([[1, 0], [-1, 0]], np.float32))
    assert np.abs(combined).max() < 0.1


# -- IMTL ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("heads, seed, correlation", SAMPLES)
def test_imtl_is_the_papers_closed_form(heads, seed, correlation):
    gradients = draw(heads, seed, correlation=correlation).astype(np.float64)
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    differences, turns = gradients[0] - gradients[1:], units[0] - units[1:]
    rest = gradients[0] @ turns.T @ np.linalg.inv(differences @ turns.T)
    alpha = np.array([1 - rest.sum(), *rest])
    found = combine("imtl", gradients.astype(np.float32)) / heads
    expected = alpha @ gradients
    # The paper's sum of 1 may point where every loss rises.
    np.testing.assert_allclose(found, expected * np.sign(expected @ units[0]), atol=2e-3 * np.linalg.norm(found))
    np.testing.assert_allclose(units @ found, np.full(heads, abs(expected @ units[0])), rtol=5e-3)


def test_imtl_equals_another_implementation():
    """The example of https://torchjd.org/docs/aggregation/imtl_g."""
    found = combine("imtl", np.array([[-4, 1, 1], [6, 1, 1]])) / 2
    np.testing.assert_allclose(found, [0.0767, 1.0, 1.0], atol=1e-3)


def test_imtl_scales_losses_towards_one():
    method = IMTLWeighting({"a": 2.0, "b": 1.0, "c": 0.0})
    optimizer = keras.optimizers.SGD(0.3)
    for _ in range(50):
        with tf.GradientTape() as tape:
            scaled = method.scaled_losses({"a": tf.constant(4.0), "b": tf.constant(0.0), "c": tf.constant(2.0)},
                                          {"a": tf.constant(1.0), "b": tf.constant(0.0), "c": tf.constant(1.0)})
            total = sum(scaled.values())
        variables = method.trainable_weights
        gradients = tape.gradient(total, [variable.value for variable in variables], unconnected_gradients="zero")
        optimizer.apply(gradients, variables)
    log_scale = dict(zip("abc", np.asarray(method.read(method.log_scale))))
    assert np.exp(log_scale["a"]) * 2.0 * 4.0 == pytest.approx(1.0, rel=1e-3)
    assert log_scale["b"] == 0.0  # no labels
    assert log_scale["c"] == 0.0  # factor 0


# -- PCGrad ----------------------------------------------------------------------------------------------------------

def test_pcgrad_of_two_gradients_by_hand():
    conflicting = np.array([[1, 0], [-1, 1]], np.float32)
    # (1, 0) + (-1, 1) / 2 and (-1, 1) + (1, 0)
    np.testing.assert_allclose(combine("pcgrad", conflicting), [0.5, 1.5], rtol=1e-5)
    agreeing = np.array([[1, 0], [1, 1]], np.float32)
    np.testing.assert_allclose(combine("pcgrad", agreeing), [2, 1], rtol=1e-6)


def test_pcgrad_follows_the_algorithm_in_random_orders():
    gradients = draw(3, 6, correlation=-2)
    outcomes = []
    for orders in itertools.product(*[itertools.permutations(set(range(3)) - {head}) for head in range(3)]):
        projected = gradients.copy()
        for head, order in enumerate(orders):
            for other in order:
                product = projected[head] @ gradients[other]
                if product < 0:
                    projected[head] -= product / (gradients[other] @ gradients[other]) * gradients[other]
        outcomes.append(projected.sum(axis=0))
    outcomes = np.unique(np.round(outcomes, 3), axis=0)
    assert len(outcomes) > 1
    seen = set()
    for _ in range(12):
        distances = np.abs(outcomes - combine("pcgrad", gradients)).max(axis=1)
        assert distances.min() < 2e-3 * np.abs(gradients).max()
        seen.add(int(distances.argmin()))
    assert len(seen) > 1


# -- GradNorm --------------------------------------------------------------------------------------------------------

def test_gradnorm_follows_its_equations():
    options = {"asymmetry": 1.2, "learning_rate": 0.1}
    method = compiled("gradnorm", 3, *options.items())[0]
    random = np.random.default_rng(0)
    weights, first, mean, square = np.ones(3), None, np.zeros(3), np.zeros(3)
    for step in range(1, 5):
        gradients, losses = draw(3, step), random.uniform(0.5, 2, 3).astype(np.float32)
        first = losses if first is None else first
        np.testing.assert_allclose(combine("gradnorm", gradients, losses, anew=step == 1, **options),
                                   weights @ gradients, rtol=1e-3, atol=1e-3)
        norms = np.linalg.norm(gradients, axis=1)
        rate = losses / first / np.mean(losses / first)
        slope = np.sign(weights * norms - np.mean(weights * norms) * rate ** 1.2) * norms
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope ** 2
        weights = weights - 0.1 * mean / (1 - 0.9 ** step) / (np.sqrt(square / (1 - 0.999 ** step)) + 1e-8)
        weights *= 3 / weights.sum()
        np.testing.assert_allclose(method.read(method.factors), weights, rtol=1e-4)


def test_gradnorm_leaves_the_weight_of_an_absent_head():
    method = compiled("gradnorm", 3)[0]
    combine("gradnorm", draw(3, 0), [1, 2, 3])
    before = np.asarray(method.read(method.factors))
    combine("gradnorm", draw(3, 1), [3, 0, 1], [1, 0, 1], anew=False)
    after = np.asarray(method.read(method.factors))
    assert after[1] == before[1] and (after[[0, 2]] != before[[0, 2]]).all()
    assert after.sum() == pytest.approx(3, rel=1e-5)
    with pytest.raises(ValueError, match="gradnorm needs asymmetry >= 0"):
        GradNormWeighting(factors(2), asymmetry=-1.0)


def test_gradnorm_evens_out_the_norms():
    for step in range(200):
        combine("gradnorm", np.array([[1, 0], [0, 3]]), anew=step == 0, asymmetry=0.0)
    method = compiled("gradnorm", 2, ("asymmetry", 0.0))[0]
    np.testing.assert_allclose(method.read(method.factors), [1.5, 0.5], atol=0.05)


# -- toy problems ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_descent_on_two_quadratics_ends_where_no_head_can_gain(name):
    """L_i = 1/2 (x - c_i) A_i (x - c_i) of sizes 30 : 1; Pareto points are those whose gradients are opposite."""
    centres = np.array([[-1, 0.3], [1, 0]])
    shapes = np.array([[[30, 0], [0, 6]], [[1, 0], [0, 2]]])
    point = np.array([0.5, 2.0])
    for number in range(150):
        offsets = point - centres
        gradients = np.einsum("hij,hj->hi", shapes, offsets)
        losses = np.einsum("hi,hi->h", gradients, offsets) / 2
        point = point - (0.02 if number < 100 else 0.005) * combine(name, gradients, losses, anew=number == 0)
    one, two = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    assert one @ two < -0.97
