"""Weights by how slowly each loss falls."""

import keras
from keras import ops

from speechzoo.multitask.weighting.weighting import Weighting


@keras.saving.register_keras_serializable(package="speechzoo")
class DWAWeighting(Weighting):
    """Dynamic weight average: heads x softmax(r / temperature), r = mean loss of the last window / of the one before.

    The paper's windows are epochs; here they are `window` training steps, so that they are as long in `fit` as in
    `speechzoo train`, and are right for corpora of any size. Until a head has two windows its r is 1.

    A head without labels in a batch adds nothing to that batch or to its own mean; one without labels in a whole window
    keeps its r.

    Reference: Liu et al. 2019, https://arxiv.org/abs/1803.10704, equation 7.

    Args:
        weights: Head -> factor of its loss on top of the method's.
        temperature: The higher, the more even the weights.
        window: Training steps that one mean is over.

    Raises:
        ValueError: A temperature or window that isn't above 0.
    """

    def __init__(self, weights: dict[str, float], temperature: float = 2.0, window: int = 500, **kwargs):
        super().__init__(weights, **kwargs)
        if temperature <= 0 or window < 1:
            raise ValueError(f"dwa needs temperature > 0 and window >= 1, got {temperature} and {window}")
        self.temperature, self.window = temperature, window
        self.total, self.count = self.add_state("total"), self.add_state("count")
        self.last, self.before_last = self.add_state("last"), self.add_state("before_last")
        self.step = self.add_weight(name="step", shape=(), initializer="zeros", trainable=False)

    def task_weights(self, losses, present):
        last, before_last = self.read(self.last), self.read(self.before_last)
        known = before_last > 0
        ratio = ops.where(known, last / ops.where(known, before_last, 1.0), 1.0)
        weights = len(self.weights_of_heads) * ops.softmax(ratio / self.temperature)
        self._count(losses, present, last, before_last)
        return weights

    def _count(self, losses, present, last, before_last):
        total, count = self.read(self.total) + present * losses, self.read(self.count) + present
        step = self.step.value + 1
        full = step >= self.window
        moves = ops.logical_and(full, count > 0)
        self.write(self.before_last, ops.where(moves, last, before_last))
        self.write(self.last, ops.where(moves, total / ops.maximum(count, 1.0), last))
        self.write(self.total, ops.where(full, 0.0, total))
        self.write(self.count, ops.where(full, 0.0, count))
        self.step.assign(ops.where(full, 0.0, step))

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature, "window": self.window}
