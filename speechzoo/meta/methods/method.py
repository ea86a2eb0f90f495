"""What all ways to learn from few recordings have in common."""

import functools

import keras
import numpy as np
from keras import ops

from speechzoo.meta.gradients import value_and_gradients
from speechzoo.meta.losses import open_set_cross_entropy


class Method:
    """A way to learn classes from a few recordings.

    A task is a dict of tensors: `support` and `query`, inputs of the network, and `support_targets` and
    `query_targets`, int32 (recordings,), -1 of what belongs to no class. `values` are those of `variables`, in their
    order: a method is a pure function of both, so that it can be differentiated and compiled.

    Args:
        network: Model of the inputs, whose output is what `output` says. It runs as after training: statistics of
            batches rest, and nothing is dropped out.
        head: The head that the network's layers belong to, for `learnt`; None of a network that is no head's.

    Attributes:
        output: `logits` or `embedding`: what the network has to give.
        trained: Whether episodes teach it something; False of plain baselines.
        reads_pooled: Whether its inputs are pooled frames, (recordings, 2 x channels), and it has no network.
        numpy: Whether it computes in NumPy, so that nothing has to be compiled.
        paper: Where it comes from.
    """

    output = "logits"
    trained = True
    reads_pooled = False
    numpy = False
    paper = ""

    def __init__(self, network: keras.Model, head=None):
        self.network, self.head = network, head

    @property
    def variables(self) -> list[keras.Variable]:
        """What episodes change."""
        return list(self.network.trainable_variables)

    def forward(self, values: list, inputs):
        """The network's output for inputs, with these values in place of its weights."""
        fixed = [variable.value for variable in self.network.non_trainable_variables]
        count = len(self.network.trainable_variables)
        return self.network.stateless_call(list(values[:count]), fixed, inputs, training=False)[0]

    def gradients(self, values: list, task: dict) -> tuple:
        """The loss of a task, and for each of `variables` the direction in which an optimizer takes it down."""
        return value_and_gradients(functools.partial(self.loss, task=task), values)

    def loss(self, values: list, task: dict):
        """The loss of the queries of a task, a scalar."""
        return open_set_cross_entropy(self.scores(values, task), task["query_targets"])

    def learnt(self, values: list, task: dict) -> dict[str, np.ndarray]:
        """Path of a weight -> its value, of the head that says of a recording which class of a task it belongs to.

        The head's layer `logits` has as many outputs as the task has classes. Weights that stay as they are may be
        left out.
        """
        return {variable.path: ops.convert_to_numpy(value)
                for variable, value in zip(self.network.trainable_variables, values)}


def class_means(embeddings, targets, ways: int):
    """Mean of the embeddings (recordings, size) of each class: (ways, size)."""
    members = ops.one_hot(targets, ways, dtype=embeddings.dtype, axis=0)
    return ops.matmul(members, embeddings) / ops.sum(members, axis=1, keepdims=True)
