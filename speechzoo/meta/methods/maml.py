"""MAML: a start from which a few steps of gradient descent learn a new task."""

from keras import ops

from speechzoo.meta.gradients import value_and_gradients
from speechzoo.meta.losses import open_set_cross_entropy
from speechzoo.meta.methods.method import Method


class MAML(Method):
    """Gradient descent on the support; episodes change the start so that the queries come out right after it.

        phi_0 = theta,  phi_(i+1) = phi_i - alpha grad L_support(phi_i)      (section 2.2, equation 1)
        theta <- theta - beta grad_theta L_query(phi_steps(theta))

    The gradient goes through the inner steps: second order.

    Reference: Finn et al. 2017, https://arxiv.org/abs/1703.03400.

    Args:
        network: Inputs -> logits (recordings, ways), or whatever `task_loss` takes.
        inner_rate: alpha.
        steps: Inner steps in training.
        test_steps: Inner steps where words are learnt and measured.
        task_loss: (outputs, targets) -> scalar, of support and queries.
        head: See `Method`.
    """

    paper = "Finn et al. 2017, https://arxiv.org/abs/1703.03400"
    first_order = False

    def __init__(self, network, inner_rate: float = 0.1, steps: int = 5, test_steps: int = 10,
                 task_loss=open_set_cross_entropy, head=None):
        super().__init__(network, head)
        self.inner_rate, self.steps, self.test_steps, self.task_loss = inner_rate, steps, test_steps, task_loss

    def adapt(self, values: list, inputs, targets, steps: int) -> list:
        """The network's weights after steps on labelled inputs."""
        weights = list(values[:len(self.network.trainable_variables)])
        rates = self.inner_rates(values)
        for _ in range(steps):
            _, slopes = value_and_gradients(lambda now: self.task_loss(self.forward(now, inputs), targets), weights)
            if self.first_order:
                slopes = [ops.stop_gradient(slope) for slope in slopes]
            weights = [weight if rate is None else weight - rate * slope
                       for weight, rate, slope in zip(weights, rates, slopes)]
        return weights

    def inner_rates(self, values: list) -> list:
        """The rate of each of the network's weights in inner steps; None of one that rests."""
        return [self.inner_rate] * len(self.network.trainable_variables)

    def loss(self, values, task):
        adapted = self.adapt(values, task["support"], task["support_targets"], self.steps)
        return self.task_loss(self.forward(adapted, task["query"]), task["query_targets"])

    def scores(self, values, task):
        """Outputs for the queries after the steps on the support."""
        adapted = self.adapt(values, task["support"], task["support_targets"], self.test_steps)
        return self.forward(adapted, task["query"])

    def learnt(self, values, task):
        return super().learnt(self.adapt(values, task["support"], task["support_targets"], self.test_steps), task)
