"""Gradients without the parts that conflict."""

import keras
from keras import ops

from speechzoo.multitask.weighting.gradient import GradientWeighting


@keras.saving.register_keras_serializable(package="speechzoo")
class PCGradWeighting(GradientWeighting):
    """Projecting conflicting gradients: each head's gradient loses what of it points against another's.

    The others are gone through in an order drawn anew for each head and step; the projected gradients are summed.
    Absent heads neither project nor are projected.

    Reference: Yu et al. 2020, https://arxiv.org/abs/2001.06782, algorithm 1.
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(weights, **kwargs)
        self.random = keras.random.SeedGenerator()

    def coefficients(self, gram, losses, present):
        heads = gram.shape[0]
        orders = ops.argsort(keras.random.uniform((heads, heads), seed=self.random), axis=-1)
        # Row i: the projected gradient of head i, in terms of all heads' gradients.
        mixtures = ops.eye(heads)
        for place in range(heads):
            other = ops.one_hot(orders[:, place], heads)
            product = ops.sum(ops.matmul(mixtures, gram) * other, axis=-1)
            square = ops.sum(ops.diagonal(gram) * other, axis=-1)
            itself = ops.sum(ops.eye(heads) * other, axis=-1)
            conflict = ops.minimum(product, 0.0) * (1 - itself)
            mixtures = mixtures - (conflict / ops.where(square > 0, square, 1.0))[:, None] * other
        return ops.sum(mixtures * present[:, None], axis=0)
