"""What every weighting has in common."""

import keras
from keras import ops


class Weighting(keras.layers.Layer):
    """How the heads' losses become one: their sum, each times its factor in the config and the method's weight for it.

    A method that weighs losses implements `task_weights`; one that weighs gradients is a `GradientWeighting`. Vectors
    have one entry per head, in the order of `weights`. What a method remembers are variables of this layer, one scalar
    per head, so that a resumed run goes on exactly and a model with some of the heads takes what is theirs.

    Args:
        weights: Head -> factor of its loss. A head with factor 0 counts as one without labels.

    Call arguments:
        losses: Head -> scalar loss, nats per example; 0 for a head without labels in the batch.
        labelled: Head -> 1.0 when the batch has a label for it, else 0.0.
        training: Whether this is a training step; an evaluation sums with the config's factors alone, so that its
            total means the same under every method.

    Returns:
        The total loss.

    Attributes:
        cost: What a training step takes beside one forward pass.
    """

    cost = "one backward pass"

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial_weights = dict(weights)
        self.weights_of_heads = dict(weights)  # those that `compile` was given count
        self.built = True

    def task_weights(self, losses, present):
        """The method's weights for one training step, after which its state has moved on.

        Args:
            losses: float32 (heads,), times their factors.
            present: float32 (heads,), 1 for a head with labels in the batch.

        Returns:
            float32 (heads,), all 1 for the plain sum; what it says for an absent head doesn't matter.
        """
        return ops.ones_like(losses)

    def call(self, losses, labelled, training=False):
        """Head -> loss, head -> 1.0 if the batch has labels for it -> the total, a scalar."""
        losses, present = self.as_vectors(losses, labelled)
        if not training:
            return ops.sum(losses)
        return ops.sum(ops.stop_gradient(self.task_weights(ops.stop_gradient(losses), present)) * losses)

    def train_step(self, model, step, *arguments):
        """One training step of `model`; `step(*arguments)` is the one that Keras takes on this backend."""
        return step(*arguments)

    def check_backend(self):
        """Raises ValueError when the method can't train on the backend that Keras runs on."""

    def as_vectors(self, losses, labelled):
        """Losses times their factors, and which heads are present: float32 (heads,) each, 0 for heads left out."""
        unknown = set(losses) - set(self.weights_of_heads)
        if unknown:
            raise ValueError(f"the weighting has no factor for head '{unknown.pop()}'; it has: "
                             f"{', '.join(self.weights_of_heads)}")
        scaled, present = [], []
        for name, factor in self.weights_of_heads.items():
            scaled.append(factor * ops.cast(losses[name], "float32") if name in losses else ops.zeros(()))
            present.append(ops.cast(labelled[name], "float32") if name in losses and factor else ops.zeros(()))
        return ops.stack(scaled), ops.stack(present)

    @property
    def optional_weights(self) -> list:
        """Weights that a file may lack: a weighting that it doesn't know starts anew."""
        return self.weights

    # -- state -------------------------------------------------------------------------------------------------------

    def add_state(self, name: str, value: float = 0.0, trainable: bool = False) -> list:
        """One scalar variable a head, named `<head>_<name>`."""
        return [self.add_weight(name=f"{head}_{name}", shape=(), initializer=keras.initializers.Constant(value),
                                trainable=trainable) for head in self.weights_of_heads]

    @staticmethod
    def read(state: list):
        """The values of `add_state`'s variables, (heads,)."""
        return ops.stack([variable.value for variable in state])

    @staticmethod
    def write(state: list, values):
        """Assigns (heads,) `values` to them."""
        for index, variable in enumerate(state):
            variable.assign(values[index])

    def get_config(self):
        return {**super().get_config(), "weights": self.initial_weights}


def softmax_of_present(logits, present):
    """Softmax over the heads with labels, times their number: 1 for each where all are equal, 0 for absent heads."""
    logits = ops.where(present > 0, logits, -1e9)
    return ops.sum(present) * present * ops.softmax(logits)
