"""Meta-SGD: the start and a rate for each weight are learnt."""

import keras

from speechzoo.meta.methods.maml import MAML


class MetaSGD(MAML):
    """MAML with a vector of rates in place of one number; it has the shape of the weights, and either sign.

        phi = theta - alpha * grad L_support(theta)      (equation 2, * by element)
        (theta, alpha) <- (theta, alpha) - beta grad L_query(phi)

    The rates are learnt for so many inner steps and for no others, one in the paper, so that as many are taken where
    words are learnt.

    Reference: Li et al. 2017, https://arxiv.org/abs/1707.09835.

    Args:
        network, inner_rate, steps, task_loss, head: See `MAML`; all rates start as `inner_rate`.
    """

    paper = "Li et al. 2017, https://arxiv.org/abs/1707.09835"

    def __init__(self, network, inner_rate: float = 0.1, steps: int = 1, **options):
        super().__init__(network, inner_rate, steps, steps, **options)
        self.rates = [keras.Variable(keras.ops.full(variable.shape, inner_rate), name="rate")
                      for variable in network.trainable_variables]

    @property
    def variables(self):
        return [*super().variables, *self.rates]

    def inner_rates(self, values):
        return list(values[len(self.network.trainable_variables):])
