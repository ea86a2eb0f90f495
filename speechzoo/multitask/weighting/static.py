"""Fixed weights."""

import keras


class StaticWeighting(keras.layers.Layer):
    """Sum of the losses times fixed weights.

    Args:
        weights: Head -> factor of its loss.

    Call arguments:
        losses: Head -> scalar loss, nats per example.
        labelled: Head -> 1.0 when the batch has a label for it, else 0.0.
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(**kwargs)
        self.weights_of_heads = dict(weights)

    def call(self, losses, labelled):
        return sum(self.weights_of_heads[name] * loss for name, loss in losses.items())

    def get_config(self):
        return {**super().get_config(), "weights": self.weights_of_heads}
