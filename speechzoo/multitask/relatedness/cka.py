"""How alike two networks represent the same utterances."""

import numpy as np


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of two representations of the same examples.

    With centred columns it is |second' first|^2 / (|first' first| |second' second|) in Frobenius norms: 1 for
    representations that are equal up to rotation and scale, 0 for uncorrelated ones. It needs several times as many
    examples as features: with fewer everything looks alike.

    Args:
        first: float (examples, features).
        second: float (examples, other features).

    Returns:
        0 to 1; NaN when a representation is the same for all examples.

    Raises:
        ValueError: Different numbers of examples, or fewer than two.

    Reference: Kornblith et al. 2019, https://arxiv.org/abs/1905.00414, section 3 (linear CKA).

    Example:
        >>> points = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 3.0]])
        >>> round(linear_cka(points, 3 * points[:, ::-1] + 5), 6)
        1.0
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"representations of {len(first)} and {len(second)} examples can't be compared: "
                         "give the same two or more to both")
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    together = np.sum((second.T @ first) ** 2)
    size = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    return float(together / size) if size > 0 else float("nan")
