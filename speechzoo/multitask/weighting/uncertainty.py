"""Weights learnt as task uncertainty."""

import keras
from keras import ops

from speechzoo.multitask.weighting.weighting import Weighting


@keras.saving.register_keras_serializable(package="speechzoo")
class UncertaintyWeighting(Weighting):
    """Sum of weight x exp(-s) x loss + s / 2 with one learnt log variance s a head.

    A head without labels in the batch adds neither term, so its variance moves on its own evidence only.

    Reference: Kendall et al. 2018, https://arxiv.org/abs/1705.07115, equation 10 (classification: the factor is
    1 / sigma^2 and the penalty log sigma = s / 2).

    Args:
        weights: Head -> factor of its loss on top of the learnt one.
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(weights, **kwargs)
        self.log_variance = {name: self.add_weight(name=f"{name}_log_variance", shape=(), initializer="zeros")
                             for name in weights}

    def call(self, losses, labelled, training=False):
        """Head -> loss, head -> 1.0 if the batch has labels for it -> the total, a scalar."""
        return sum(self.weights_of_heads[name] * ops.exp(-self.log_variance[name]) * loss
                   + labelled[name] * 0.5 * self.log_variance[name] for name, loss in losses.items())
