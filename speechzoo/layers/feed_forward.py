"""The feed-forward module of attention networks."""

import keras
from keras import ops

from speechzoo.layers.initializers import residual_branch
from speechzoo.layers.quantizable import FrameDense

ACTIVATIONS = {"silu": ops.silu, "gelu": lambda inputs: ops.gelu(inputs, approximate=False), "relu": ops.relu}
"""`ACTIVATIONS` by name; `gelu` is the exact one."""


@keras.saving.register_keras_serializable(package="speechzoo")
class FeedForward(keras.layers.Layer):
    """Two dense layers with an activation between them, at each frame.

    Args:
        size: Channels in and out.
        inner_size: Channels between the layers.
        activation: One of `ACTIVATIONS`; `silu` is also known as swish.

    Call arguments:
        inputs: (batch, frames, size).

    Returns:
        (batch, frames, size).
    """

    def __init__(self, size: int, inner_size: int, activation: str = "silu", **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.inner_size = inner_size
        self.activation = ACTIVATIONS[activation]
        options = {"dtype": self.dtype_policy}
        self.expand = FrameDense(inner_size, name="expand", **options)
        self.project = FrameDense(size, kernel_initializer=residual_branch(), name="project", **options)

    def build(self, *_):
        self.expand.build((None, None, self.size))
        self.project.build((None, None, self.inner_size))

    def call(self, inputs):
        """Inputs (batch, frames, size) -> (batch, frames, size)."""
        return self.project(self.activation(self.expand(inputs)))

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape
