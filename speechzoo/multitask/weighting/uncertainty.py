"""Weights learnt as task uncertainty."""

import keras
from keras import ops


class UncertaintyWeighting(keras.layers.Layer):
    """Sum of weight x exp(-s) x loss + s / 2 with one learnt log variance s a head.

    A head without labels in the batch adds neither term, so its variance moves on its own evidence only.

    Reference: Kendall et al. 2018, https://arxiv.org/abs/1705.07115, equation 10 (classification: the factor is
    1 / sigma^2 and the penalty log sigma = s / 2).

    Args:
        weights: Head -> factor of its loss on top of the learnt one.

    Call arguments:
        losses: Head -> scalar loss, nats per example.
        labelled: Head -> 1.0 when the batch has a label for it, else 0.0.
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(**kwargs)
        self.weights_of_heads = dict(weights)
        self.log_variance = {name: self.add_weight(name=f"{name}_log_variance", shape=(), initializer="zeros")
                             for name in weights}
        self.built = True

    def call(self, losses, labelled):
        return sum(self.weights_of_heads[name] * ops.exp(-self.log_variance[name]) * loss
                   + labelled[name] * 0.5 * self.log_variance[name] for name, loss in losses.items())

    def get_config(self):
        return {**super().get_config(), "weights": self.weights_of_heads}
