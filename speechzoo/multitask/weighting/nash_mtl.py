"""The gradients' combination that the heads would bargain for."""

import keras
from keras import ops

from speechzoo.multitask.weighting.gradient import GradientWeighting

# Added to the cosines' diagonal: opposite gradients have no bargain, and then the factors stay below 100 / norm.
_RIDGE = 1e-4
# Newton's steps: ten are enough for most gradients, opposite ones take twenty.
_ITERATIONS = 25


@keras.saving.register_keras_serializable(package="speechzoo")
class NashMTLWeighting(GradientWeighting):
    """Multi-task learning as a bargaining game: factors a with (G^T G) a = 1 / a, element by element.

    Instead of the paper's sequence of convex programs, damped Newton's method on 1/2 a . G^T G a - sum(log a): convex,
    self-concordant, and its only minimum is the solution (Boyd and Vandenberghe 2004, section 9.6). The factors of the
    config cancel out, and the combined gradient's norm is always the root of the number of heads with labels, which
    alone take part.

    Reference: Navon et al. 2022, https://arxiv.org/abs/2202.01017, claim 3.1.
    """

    def coefficients(self, gram, losses, present):
        heads = gram.shape[0]
        norms = ops.sqrt(ops.diagonal(gram))
        norms = ops.where(norms > 0, norms, 1.0)
        # In units of each gradient's norm; an absent head stands alone.
        cosines = gram / (norms[:, None] * norms) + ops.eye(heads) * (1 - present + _RIDGE)

        def newton(_, factors):
            slope = ops.sum(cosines * factors, axis=-1) - 1 / factors
            curvature = cosines + ops.eye(heads) / ops.square(factors)
            step = -ops.solve(curvature, slope[:, None])[:, 0]
            decrement = ops.sqrt(ops.maximum(-ops.sum(slope * step), 0.0))
            return factors + step * ops.where(decrement > 0.25, 1 / (1 + decrement), 1.0)

        return ops.fori_loop(0, _ITERATIONS, newton, ops.ones((heads,))) / norms
