"""Affinities, cosines, CKA and grouping: against examples worked out by hand, NumPy, and every way to group."""

import itertools

import numpy as np
import pytest

from speechzoo.multitask.relatedness import gradient_cosines, linear_cka, lookahead_affinities, propose_groups

# Losses (x - 1)^2 + y^2, (x + 1)^2 and (x - 3)^2 + 1 at x = 0, y = 2, steps of rate 0.25. They are 5, 1 and 10.
# Gradients: (-2, 4), (2, -) and (-6, -), so the steps lead to (0.5, 1), (-0.5, 2) and (1.5, 2).
QUADRATICS = {"a": [np.array(-2.0), np.array(4.0)], "b": [np.array(2.0), None], "c": [np.array(-6.0), None]}
AFFINITY = [[1 - (0.25 + 1) / 5, 1 - 2.25, 1 - (6.25 + 1) / 10],
            [1 - (2.25 + 4) / 5, 1 - 0.25, 1 - (12.25 + 1) / 10],
            [1 - (0.25 + 4) / 5, 1 - 6.25, 1 - (2.25 + 1) / 10]]


def test_affinities_of_quadratics_worked_out_by_hand():
    def losses_of(parameters):
        x, y = parameters
        return {"a": (x - 1) ** 2 + y ** 2, "b": (x + 1) ** 2, "c": (x - 3) ** 2 + 1}

    found = lookahead_affinities([np.array(0.0), np.array(2.0)], QUADRATICS, losses_of, rate=0.25)
    np.testing.assert_allclose(found, AFFINITY)
    assert found[0, 1] < 0 < found[0, 2]  # b wants the other way, c the same


def test_cosines_over_what_both_reach():
    expected = [[1, -1, 1], [-1, 1, -1], [1, -1, 1]]  # y is a's alone and doesn't count with the others
    np.testing.assert_allclose(gradient_cosines(QUADRATICS), expected)
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 3, 4)), random.standard_normal((2, 5))
    one, two = (np.concatenate([first[task].ravel(), second[task]]) for task in (0, 1))
    found = gradient_cosines({"a": [first[0], second[0]], "b": [first[1], second[1]], "apart": [None, None]})
    assert found[0, 1] == found[1, 0] == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()


def test_cka_equals_its_definition():
    """HSIC of centred Gram matrices (Kornblith et al. 2019, section 3), without the shortcut for linear ones."""
    random = np.random.default_rng(0)
    first = random.standard_normal((30, 5)) + 3
    second = first @ random.standard_normal((5, 7)) + random.standard_normal((30, 7))
    centre = np.eye(30) - 1 / 30

    def hsic(one, two):
        return np.trace(one @ one.T @ centre @ two @ two.T @ centre) / 29 ** 2

    expected = hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))
    assert 0.1 < expected < 0.99
    assert linear_cka(first, second) == pytest.approx(expected, rel=1e-9)


def test_what_cka_does_not_see():
    random = np.random.default_rng(1)
    points = random.standard_normal((200, 4))
    rotation, _ = np.linalg.qr(random.standard_normal((4, 4)))
    assert linear_cka(points, 3 * points @ rotation + 1) == pytest.approx(1)
    assert linear_cka(points, random.standard_normal((200, 4))) < 0.1
    assert np.isnan(linear_cka(points, np.ones((200, 2))))
    with pytest.raises(ValueError, match="representations of 200 and 3 examples can't be compared"):
        linear_cka(points, points[:3])


def score_by_hand(groups, affinity):
    total = 0.0
    for group in groups:
        for task in group:
            others = [affinity[other][task] for other in group if other != task]
            total += sum(others) / len(others) if others else 0.0
    return total


@pytest.mark.parametrize("networks", [1, 2, 3, 5])
def test_grouping_equals_brute_force(networks):
    """Against every assignment of five tasks to numbered networks."""
    affinity = np.random.default_rng(networks).standard_normal((5, 5))
    best = max(score_by_hand([[task for task in range(5) if assigned[task] == group] for group in range(networks)],
                             affinity) for assigned in itertools.product(range(networks), repeat=5))
    found = propose_groups(affinity, list("abcde"), networks)
    assert sorted(sum(found.groups, [])) == list("abcde") and len(found.groups) <= networks
    assert found.score == pytest.approx(best)
    places = [["abcde".index(task) for task in group] for group in found.groups]
    assert score_by_hand(places, affinity) == pytest.approx(best)


def test_friends_stay_together_within_the_budget():
    affinity = np.full((4, 4), -0.1)
    affinity[:2, :2] = affinity[2:, 2:] = 0.2
    sizes = {"asr": 30, "phones": 10, "speaker": 5, "gender": 5}
    found = propose_groups(affinity, list(sizes), 3, shared_size=100, task_sizes=sizes)
    assert (found.groups, found.parameters) == ([["asr", "phones"], ["speaker", "gender"]], 250)
    assert found.score == pytest.approx(0.8)
    small = propose_groups(affinity, list(sizes), 3, shared_size=100, task_sizes=sizes, budget=249)
    assert (small.groups, small.parameters) == ([list(sizes)], 150)
    with pytest.raises(ValueError, match="one network for all has 150 parameters already, more than the 149 asked for"):
        propose_groups(affinity, list(sizes), 3, shared_size=100, task_sizes=sizes, budget=149)
    # What was never measured neither helps nor harms, and where nothing is gained the smaller grouping is taken.
    assert propose_groups(np.full((3, 3), np.nan), list("abc"), 3, shared_size=7).groups == [list("abc")]


def test_too_many_tasks_and_no_network():
    with pytest.raises(ValueError, match="13 tasks can be grouped in too many ways to try all; choose 12"):
        propose_groups(np.zeros((13, 13)), list("abcdefghijklm"), 2)
    with pytest.raises(ValueError, match="at least one network, got 0"):
        propose_groups(np.zeros((2, 2)), ["a", "b"], 0)
