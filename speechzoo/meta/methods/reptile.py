"""Reptile: the start moves towards where training on each task ends."""

from keras import ops

from speechzoo.meta.methods.maml import MAML


class Reptile(MAML):
    """Steps on all recordings of a task, support and queries; then the start moves towards the result.

        phi = SGD^k(theta),  theta <- theta + epsilon (phi - theta)      (algorithm 1)

    theta - phi is given to the optimizer as if it were a gradient, as in section 2 of the paper; it is divided by the
    inner rate, so that it is a sum of gradients.

    Reference: Nichol et al. 2018, https://arxiv.org/abs/1803.02999.

    Args:
        network, inner_rate, steps, test_steps, task_loss, head: See `MAML`.
    """

    paper = "Nichol et al. 2018, https://arxiv.org/abs/1803.02999"
    first_order = True

    def gradients(self, values, task):
        inputs = _joined(task["support"], task["query"])
        targets = ops.concatenate([task["support_targets"], task["query_targets"]], axis=0)
        adapted = self.adapt(values, inputs, targets, self.steps)
        loss = self.task_loss(self.forward(adapted, inputs), targets)
        return loss, [(before - after) / self.inner_rate for before, after in zip(values, adapted)]


def _joined(one, other):
    """Two batches of inputs as one."""
    if isinstance(one, dict):
        return {name: ops.concatenate([one[name], other[name]], axis=0) for name in one}
    return ops.concatenate([one, other], axis=0)
