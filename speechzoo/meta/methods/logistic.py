"""A logistic layer on pooled frames of a frozen backbone: the plain way to learn classes."""

import numpy as np

from speechzoo.meta.methods.pooled import Pooled

_STEPS = 200


class Logistic(Pooled):
    """Multinomial logistic regression with a quadratic penalty on the support.

    It minimises the mean cross entropy + strength / 2 ||W||^2 by accelerated gradient descent (Nesterov 1983) with a
    rate under the inverse of the greatest curvature, so that it can't diverge.

    Reference: Tian et al. 2020, "Rethinking few-shot image classification", https://arxiv.org/abs/2003.11539, section
    3.
    """

    paper = "Tian et al. 2020, https://arxiv.org/abs/2003.11539"
    strength = 0.1

    def fit(self, features, targets, ways):
        wanted = np.eye(ways)[targets]
        # Of the softmax's curvature, 1/2 is a bound.
        curvature = 0.5 * (np.linalg.norm(features, 2) ** 2 / len(features) + 1) + self.strength
        layer = ahead = np.zeros((features.shape[1] + 1, ways))
        inputs, decayed = np.pad(features, ((0, 0), (0, 1)), constant_values=1.0), np.ones((features.shape[1] + 1, 1))
        decayed[-1] = 0.0  # the bias
        for step in range(_STEPS):
            logits = inputs @ ahead
            posteriors = np.exp(logits - logits.max(axis=1, keepdims=True))
            posteriors /= posteriors.sum(axis=1, keepdims=True)
            slope = inputs.T @ (posteriors - wanted) / len(features) + self.strength * decayed * ahead
            before, layer = layer, ahead - slope / curvature
            ahead = layer + step / (step + 3) * (layer - before)
        return layer[:-1], layer[-1]
