"""The shortest of all mixtures of the gradients."""

import keras
from keras import ops

from speechzoo.multitask.weighting.gradient import GradientWeighting
from speechzoo.multitask.weighting.simplex import check_number_of_heads, minimize_on_simplex


@keras.saving.register_keras_serializable(package="speechzoo")
class MGDAWeighting(GradientWeighting):
    """Multiple gradient descent: the minimum-norm point of the gradients' convex hull, so that no head's loss rises.

    It is dominated by the heads with the smallest gradients; `normalization` sets against what size they are compared.
    The solution, weights of sum 1 over the heads with labels, is multiplied by their number.

    Reference: Sener and Koltun 2018, https://arxiv.org/abs/1810.04650, equation 3; Desideri 2012. Its
    Frank-Wolfe algorithm is replaced by an exact solution.

    Args:
        weights: Head -> factor of its loss.
        normalization: What each gradient is divided by while the weights are sought: "none", "l2" (its norm), "loss"
            or "loss+" (norm times loss), as in the authors' code.

    Raises:
        ValueError: Another normalization, or more than 12 heads.
    """

    def __init__(self, weights: dict[str, float], normalization: str = "none", **kwargs):
        super().__init__(weights, **kwargs)
        check_number_of_heads("mgda", len(weights))
        if normalization not in ("none", "l2", "loss", "loss+"):
            raise ValueError(f"mgda has no normalization '{normalization}'; known: none, l2, loss, loss+")
        self.normalization = normalization

    def coefficients(self, gram, losses, present):
        sizes = ops.ones_like(losses)
        if self.normalization in ("l2", "loss+"):
            sizes = sizes * ops.sqrt(ops.diagonal(gram))
        if self.normalization in ("loss", "loss+"):
            sizes = sizes * losses
        sizes = ops.where(sizes > 0, sizes, 1.0)
        return ops.sum(present) * minimize_on_simplex(gram / (sizes[:, None] * sizes), present)

    def get_config(self):
        return {**super().get_config(), "normalization": self.normalization}
