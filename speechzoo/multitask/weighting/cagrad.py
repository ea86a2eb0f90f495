"""The gradient near the mean one along which the worst-off head gains most."""

import keras
from keras import ops

from speechzoo.multitask.weighting.gradient import GradientWeighting
from speechzoo.multitask.weighting.simplex import check_number_of_heads, minimize_on_simplex


@keras.saving.register_keras_serializable(package="speechzoo")
class CAGradWeighting(GradientWeighting):
    """Conflict-averse gradient descent: within `radius` x ||mean|| of the mean gradient, the best for the worst head.

    Mean and worst are over the heads with labels in the batch. The paper's direction is multiplied by their number and
    divided by 1 + radius, as the authors' code can, so that gradients that agree give their plain sum.

    Reference: Liu et al. 2021, https://arxiv.org/abs/2110.14048, algorithm 1: the direction is
    g_0 + radius ||g_0|| / ||g_w|| g_w, where w on the simplex minimises g_w . g_0 + radius ||g_0|| ||g_w||.

    Args:
        weights: Head -> factor of its loss.
        radius: The paper's c: 0 is the plain mean; the nearer to 1, the more like MGDA.

    Raises:
        ValueError: A radius outside [0, 1), or more than 12 heads.
    """

    def __init__(self, weights: dict[str, float], radius: float = 0.4, **kwargs):
        super().__init__(weights, **kwargs)
        check_number_of_heads("cagrad", len(weights))
        if not 0 <= radius < 1:
            raise ValueError(f"cagrad needs a radius from 0 to below 1, got {radius}")
        self.radius = radius

    def coefficients(self, gram, losses, present):
        if not self.radius:
            return ops.ones_like(losses)
        count = ops.maximum(ops.sum(present), 1.0)
        products = ops.sum(gram * present, axis=-1) / count
        reach = self.radius * ops.sqrt(ops.maximum(ops.sum(products * present) / count, 0.0))
        weights = minimize_on_simplex(gram, present, products / ops.maximum(reach, 1e-20))
        norm = ops.sqrt(ops.maximum(ops.sum(weights * ops.sum(gram * weights, axis=-1)), 0.0))
        return (present + count * weights * reach / ops.maximum(norm, 1e-20)) / (1 + self.radius)

    def get_config(self):
        return {**super().get_config(), "radius": self.radius}
