"""Baselines without meta-learning: a linear layer on the mean and deviation over time of a block's frames."""

import numpy as np

from speechzoo.meta.methods.method import Method


class Pooled(Method):
    """A linear layer on pooled frames, fitted to the support.

    A subclass has `fit(features, targets, ways)`: standardised features (recordings, features) and their classes ->
    kernel (features, ways) and bias (ways,).

    Args:
        mean, deviation: Of the features of the training classes, (features,) each, for standardising.
        ways: Classes per task.
        head: See `Method`.
    """

    trained = False
    reads_pooled = True
    numpy = True

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, ways: int, head=None):
        super().__init__(None, head)
        self.mean, self.deviation, self.ways = mean, deviation, ways

    @property
    def variables(self):
        return []

    def scores(self, values, task):
        """Logits of the queries, (recordings, ways)."""
        kernel, bias = self._layer(task)
        return self._standardised(task["query"]) @ kernel + bias

    def learnt(self, values, task):
        kernel, bias = self._layer(task)
        # Without scores all frames count the same, and the head's pooling is the plain mean and deviation.
        still = {weight.path: np.zeros(weight.shape) for weight in self.head.pooling.score.weights}
        return {**still, self.head.logits.kernel.path: kernel / self.deviation[:, None],
                self.head.logits.bias.path: bias - (self.mean / self.deviation) @ kernel}

    def _layer(self, task):
        return self.fit(self._standardised(task["support"]), np.asarray(task["support_targets"]), self.ways)

    def _standardised(self, features):
        return (np.asarray(features, np.float64) - self.mean) / self.deviation
