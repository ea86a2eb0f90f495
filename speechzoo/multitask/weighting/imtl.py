"""The gradients' combination with the same projection on each, of losses scaled to one size."""

import keras
from keras import ops

from speechzoo.multitask.weighting.gradient import GradientWeighting

# Added to the cosines' diagonal: of equal gradients any mixture does.
_RIDGE = 1e-5


@keras.saving.register_keras_serializable(package="speechzoo")
class IMTLWeighting(GradientWeighting):
    """Impartial multi-task learning: IMTL-L for the heads' own parameters, IMTL-G of its losses for the shared ones.

    IMTL-L scales each loss by a learnt exp(s), with penalty -s, which makes scaled losses tend to 1. IMTL-G's factors
    a, of sum 1, give a combination that projects equally on every head's gradient: G^T G a is proportional to the
    norms, which the paper's closed form g_1 U^T (D U^T)^-1 solves too. Some may be negative. Two things the paper
    leaves open: where a sum of 1 would make all projections negative, so that every loss rose, it is -1; and for nearly
    dependent gradients, whose factors are large, it is less than 1, so that no factor exceeds 100.

    Both are over the heads with labels in the batch (the factors multiplied by their number); the others' s rest but
    for the optimizer's weight decay and momentum.

    Reference: Liu et al. 2021, https://openreview.net/forum?id=IMPnRXEWpvr, sections 3.1 (IMTL-G) and 3.2 (IMTL-L).
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(weights, **kwargs)
        self.log_scale = self.add_state("log_scale", trainable=True)

    def scaled_losses(self, losses, labelled):
        log_scales = dict(zip(self.weights_of_heads, self.log_scale))
        return {name: ops.exp(log_scales[name]) * loss - labelled[name] * log_scales[name]
                if self.weights_of_heads[name] else loss
                for name, loss in super().scaled_losses(losses, labelled).items()}

    def coefficients(self, gram, losses, present):
        heads = gram.shape[0]
        norms = ops.sqrt(ops.diagonal(gram))
        norms = ops.where(norms > 0, norms, 1.0)
        cosines = gram / (norms[:, None] * norms) + ops.eye(heads) * (1 - present + _RIDGE)
        factors = present * ops.solve(cosines, present[:, None])[:, 0] / norms
        total = ops.maximum(ops.abs(ops.sum(factors)), 0.01 * ops.sum(ops.abs(factors)))
        return ops.sum(present) * factors / ops.maximum(total, 1e-20)
