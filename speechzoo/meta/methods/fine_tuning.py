"""Fine-tuning: the network is trained on the support from an ordinary start. A baseline."""

from keras import ops

from speechzoo.meta.gradients import compiled, value_and_gradients
from speechzoo.meta.losses import open_set_cross_entropy
from speechzoo.meta.methods.method import Method


class FineTuning(Method):
    """Steps of Adam on the support from a start that no episode has seen.

    Reference: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1; as a baseline of few-shot learning Chen
    et al. 2019, https://arxiv.org/abs/1904.04232.

    Args:
        network: Inputs -> logits (recordings, ways).
        rate: Adam's.
        steps: Its steps.
        head: See `Method`.
    """

    trained = False
    numpy = True  # its steps are compiled one by one
    paper = "Chen et al. 2019, https://arxiv.org/abs/1904.04232"

    def __init__(self, network, rate: float = 3e-3, steps: int = 50, head=None):
        super().__init__(network, head)
        self.rate, self.steps = rate, steps
        self._step = compiled(self._one_step)
        self._forward = compiled(self.forward)

    def scores(self, values, task):
        """Logits of the queries, (recordings, ways)."""
        return ops.convert_to_numpy(self._forward(self._tune(values, task), task["query"]))

    def learnt(self, values, task):
        return super().learnt(self._tune(values, task), task)

    def _tune(self, values, task):
        weights = [ops.convert_to_tensor(value) for value in values]
        mean = square = [ops.zeros_like(value) for value in weights]
        for number in range(1, self.steps + 1):
            weights, mean, square = self._step(weights, mean, square, float(number), task["support"],
                                               task["support_targets"])
        return weights

    def _one_step(self, weights, mean, square, number, inputs, targets):
        _, slopes = value_and_gradients(lambda now: open_set_cross_entropy(self.forward(now, inputs), targets), weights)
        mean = [0.9 * old + 0.1 * slope for old, slope in zip(mean, slopes)]
        square = [0.999 * old + 0.001 * ops.square(slope) for old, slope in zip(square, slopes)]
        return [weight - self.rate * (one / (1 - 0.9 ** number)) / (ops.sqrt(two / (1 - 0.999 ** number)) + 1e-7)
                for weight, one, two in zip(weights, mean, square)], mean, square
