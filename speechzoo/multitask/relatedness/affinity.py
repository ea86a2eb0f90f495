"""What one task's training step does to the others, and whether their gradients agree."""

from collections.abc import Callable

import numpy as np


def lookahead_affinities(parameters: list, gradients: dict[str, list], losses_of: Callable[[list], dict],
                         rate: float) -> np.ndarray:
    """How much a step on one task alone lowers each task's loss: inter-task affinity.

        affinity[i, j] = 1 - loss_j(shared - rate x gradient_i) / loss_j(shared)

    Above 0, training i helps j; below, it harms it. It is not symmetric.

    Args:
        parameters: Arrays or tensors that the tasks share; each task's own parameters stay as they are.
        gradients: Task -> its loss's gradients of `parameters`; None for those that it doesn't reach.
        losses_of: Parameters -> {task: loss}, always on the same examples.
        rate: Learning rate of the step.

    Returns:
        float64 (tasks that step, tasks whose loss is seen), in the order of `gradients`.

    Reference: TAG (Fifty et al. 2021, https://arxiv.org/abs/2109.04617), section 3, the lookahead of the shared
    parameters and the affinity that it defines.

    Example:
        Two parabolas, (x - 1)^2 and (x - 2)^2, at x = 0: the first's step of rate 0.1 leads to x = 0.2.

        >>> losses = lambda parameters: {"one": (parameters[0] - 1) ** 2, "two": (parameters[0] - 2) ** 2}
        >>> lookahead_affinities([0.0], {"one": [-2.0], "two": [-4.0]}, losses, rate=0.1).round(2).tolist()
        [[0.36, 0.19], [0.64, 0.36]]
    """
    before = losses_of(parameters)
    result = np.zeros((len(gradients), len(gradients)))
    for row, steps in enumerate(gradients.values()):
        after = losses_of([value if step is None else value - rate * step for value, step in zip(parameters, steps)])
        result[row] = [1.0 - float(after[task]) / max(float(before[task]), 1e-12) for task in gradients]
    return result


def gradient_cosines(gradients: dict[str, list]) -> np.ndarray:
    """Cosine between each two tasks' gradients, over the parameters that both of them reach.

    Args:
        gradients: Task -> gradients, one array a parameter; None for parameters that it doesn't reach.

    Returns:
        float64 (tasks, tasks); NaN for two that share nothing, or where a gradient is zero.

    Reference: Yu et al. 2020 (PCGrad), https://arxiv.org/abs/2001.06782, definition 1.
    """
    count = len(gradients)
    products = np.zeros((count, count))  # of the row's gradient with the column's, over what both reach
    lengths = np.zeros((count, count))  # squared length of the row's gradient there
    for column in zip(*gradients.values()):
        reached = [place for place, gradient in enumerate(column) if gradient is not None]
        if reached:
            vectors = np.stack([np.ravel(np.asarray(column[place], np.float64)) for place in reached])
            gram, places = vectors @ vectors.T, np.ix_(reached, reached)
            products[places] += gram
            lengths[places] += np.diag(gram)[:, None]
    result = np.full((count, count), np.nan)
    known = (lengths > 0) & (lengths.T > 0)
    result[known] = products[known] / np.sqrt(lengths[known] * lengths.T[known])
    return result
