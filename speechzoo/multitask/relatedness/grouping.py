"""Tasks -> networks: the grouping in which tasks help each other most, within a size."""

from dataclasses import dataclass

import numpy as np

# There are 4.2 million ways to group twelve tasks, 28 million for thirteen.
MAXIMUM_TASKS = 12


@dataclass
class Grouping:
    """Which tasks share a network.

    Attributes:
        groups: Names of the tasks of each network.
        score: Sum over tasks of the mean affinity onto them of the others in their network; 0 for a task alone.
        parameters: Parameters of all networks together.
    """

    groups: list[list[str]]
    score: float
    parameters: int


def propose_groups(affinity: np.ndarray, tasks: list[str], networks: int, shared_size: int = 0,
                   task_sizes: dict[str, int] | None = None, budget: int | None = None) -> Grouping:
    """The best grouping of tasks into at most `networks` networks, found by trying every one.

    Each task is in one network. Of equal groupings the smaller one is taken.

    Args:
        affinity: float (tasks that step, tasks that are seen), as `lookahead_affinities` gives it; NaN counts as 0.
        tasks: Names, in its order.
        networks: Most networks.
        shared_size: Parameters of a network besides its heads.
        task_sizes: Task -> parameters of its head; 0 when absent.
        budget: Most parameters of all networks together.

    Raises:
        ValueError: More than twelve tasks, no network, or a budget that one network exceeds.

    Reference: TAG (Fifty et al. 2021, https://arxiv.org/abs/2109.04617), section 4: a task's score in a group is the
    mean of the affinities onto it.
    """
    count, sizes = len(tasks), task_sizes or {}
    if count > MAXIMUM_TASKS:
        raise ValueError(f"{count} tasks can be grouped in too many ways to try all; choose {MAXIMUM_TASKS} of them")
    if networks < 1:
        raise ValueError(f"tasks need at least one network, got {networks}")
    own = sum(sizes.get(task, 0) for task in tasks)
    most = networks if budget is None or not shared_size else min(networks, (budget - own) // shared_size)
    if most < 1 or budget is not None and own + shared_size > budget:
        raise ValueError(f"one network for all has {own + shared_size} parameters already, more than the {budget} "
                         "asked for; raise the budget, or choose fewer heads")
    scores = _scores(np.nan_to_num(np.asarray(affinity, np.float64)))
    best = (-np.inf, 0, ())
    for groups in _partitions(count, most):
        best = max(best, (sum(scores[group] for group in groups), -len(groups), groups))
    score, _, groups = best
    names = [[task for place, task in enumerate(tasks) if group >> place & 1] for group in groups]
    return Grouping(names, float(score), own + len(groups) * shared_size)


def _scores(affinity):
    """The score of every set of tasks; a set is a number whose bits are the tasks."""
    count = len(affinity)
    members = (np.arange(2 ** count)[:, None] >> np.arange(count) & 1).astype(np.float64)
    others = members @ (affinity * (1.0 - np.eye(count)))  # sums onto each task
    size = members.sum(axis=1)
    return (members * others).sum(axis=1) / np.maximum(size - 1.0, 1.0)


def _partitions(count, most):
    """Every way to part tasks 0 to `count` - 1 into at most `most` sets, as tuples of such numbers."""
    def place(task, groups):
        if task == count:
            yield groups
            return
        bit = 1 << task
        for index, group in enumerate(groups):
            yield from place(task + 1, (*groups[:index], group | bit, *groups[index + 1:]))
        if len(groups) < most:
            yield from place(task + 1, (*groups, bit))
    return place(0, ())
