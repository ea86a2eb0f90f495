"""Adam for a weighting's own numbers."""

from keras import ops

from speechzoo.multitask.weighting.weighting import Weighting


class Adam:
    """Adam steps for one number per head.

    Unlike a Keras optimizer's, its moments are variables of the weighting, so that checkpoints hold them, and heads
    that are absent rest: neither their moments nor their count of steps move.

    Reference: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1.

    Args:
        weighting: The weighting that the moments belong to.
        learning_rate: Length of a step.
    """

    def __init__(self, weighting: Weighting, learning_rate: float):
        self.learning_rate = learning_rate
        self._weighting = weighting
        self._mean, self._square = weighting.add_state("mean"), weighting.add_state("square")
        self._steps = weighting.add_state("steps")

    def step(self, gradient, present):
        """What to add to the numbers, (heads,), for their `gradient`; 0 for absent heads."""
        read, write = self._weighting.read, self._weighting.write
        present = present > 0
        mean = ops.where(present, 0.9 * read(self._mean) + 0.1 * gradient, read(self._mean))
        square = ops.where(present, 0.999 * read(self._square) + 0.001 * ops.square(gradient), read(self._square))
        steps = read(self._steps) + ops.cast(present, "float32")
        write(self._mean, mean)
        write(self._square, square)
        write(self._steps, steps)
        steps = ops.maximum(steps, 1.0)
        unbiased_mean, unbiased_square = mean / (1 - ops.power(0.9, steps)), square / (1 - ops.power(0.999, steps))
        return ops.where(present, -self.learning_rate * unbiased_mean / (ops.sqrt(unbiased_square) + 1e-8), 0.0)
