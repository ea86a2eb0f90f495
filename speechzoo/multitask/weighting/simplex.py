"""The small convex problem of MGDA and CAGrad."""

import itertools

import numpy as np
from keras import ops

# The number of faces doubles with each head.
MAXIMUM_HEADS = 12
# Relative to the diagonal: gradients that depend on each other have a solution too.
_RIDGE = 1e-5


def minimize_on_simplex(gram, present, linear=None):
    """The weights w >= 0 of sum 1 that minimise `linear . w + sqrt(w . gram . w)`.

    The solution lies inside one face of the simplex, the mixtures of some of the heads, and there it has a closed form:
    with v = gram^-1 1 and u = gram^-1 linear of those heads, w is proportional to l v - u, where l is the larger root
    of l^2 (1 . v) - 2 l (1 . u) + linear . u = 1. Few heads have few faces, so all are solved at once and the best is
    taken: exact, in a fixed number of operations, where an iteration such as Frank-Wolfe's takes hundreds.

    Args:
        gram: float32 (heads, heads), inner products of the heads' gradients.
        present: float32 (heads,), 1 for the heads that may have weight.
        linear: float32 (heads,), in the units of the gradients' norms; 0 when None.

    Returns:
        float32 (heads,).
    """
    heads = gram.shape[0]
    # In units of the gradients' size, so that small numbers mean the same everywhere.
    size = ops.maximum(ops.max(ops.diagonal(gram)), 1e-30)
    gram = gram / size
    linear = ops.zeros((heads,)) if linear is None else linear / ops.sqrt(size)
    norms = ops.sqrt(ops.diagonal(gram))
    norms = ops.where(norms > 0, norms, 1.0)
    faces = np.array(list(itertools.product([0, 1], repeat=heads))[1:], np.float32)
    allowed = ops.all(faces <= present, axis=-1)
    # Of each face the cosines of its heads; the other heads stand alone, with nothing on the right.
    cosines = gram / (norms[:, None] * norms) * (faces[:, :, None] * faces[:, None, :])
    cosines = cosines + ops.eye(heads) * (1 - faces + _RIDGE)[:, :, None]
    right = ops.stack([faces / norms, faces * linear / norms], axis=-1)
    v, u = ops.unstack(ops.solve(cosines, right) * (faces / norms)[:, :, None], axis=-1)
    sum_v, sum_u = ops.sum(v, axis=-1), ops.sum(u, axis=-1)
    discriminant = ops.square(sum_u) - sum_v * (ops.sum(u * linear, axis=-1) - 1)
    root = ops.sqrt(ops.maximum(discriminant, 0.0))
    weights = (((sum_u + root) / sum_v)[:, None] * v - u) / ops.maximum(root, 1e-12)[:, None]
    inside = ops.logical_and(discriminant > 0, ops.min(weights, axis=-1) > -1e-5)
    weights = ops.maximum(weights, 0.0)
    weights = weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-12)
    mixed = ops.sum(weights[:, :, None] * gram, axis=1)
    values = ops.sum(weights * linear, axis=-1) + ops.sqrt(ops.maximum(ops.sum(mixed * weights, axis=-1), 0.0))
    values = ops.where(ops.logical_and(allowed, inside), values, 1e30)
    return present * ops.take(weights, ops.argmin(values), axis=0)


def check_number_of_heads(method: str, heads: int):
    """Raises ValueError for more heads than the solver is made for."""
    if heads > MAXIMUM_HEADS:
        raise ValueError(f"{method} takes up to {MAXIMUM_HEADS} heads, got {heads}; take pcgrad, imtl or nash_mtl")
