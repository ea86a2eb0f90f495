"""A convolution whose channels are in groups."""

import keras
from keras import ops

from speechzoo.layers.quantizable import Conv1D


@keras.saving.register_keras_serializable(package="speechzoo")
class GroupedConv1D(keras.layers.Layer):
    """Convolution along time in which a group of channels sees the channels of the same group only.

    Each group is a convolution of its own. Keras's grouped one is compiled by XLA on CPUs, once for every length of the
    input, and its gradient takes fifty times as long.

    Args:
        size: Channels in and out.
        kernel_size: Width, frames.
        groups: Groups; must divide `size`.

    Call arguments:
        inputs: (batch, frames, size); nothing is padded.

    Returns:
        (batch, frames - kernel_size + 1, size).

    Raises:
        ValueError: The groups don't divide the channels.
    """

    def __init__(self, size: int, kernel_size: int, groups: int, **kwargs):
        super().__init__(**kwargs)
        if size % groups:
            raise ValueError(f"grouped convolution: {groups} groups do not divide {size} channels")
        self.size = size
        self.kernel_size = kernel_size
        self.groups = [Conv1D(size // groups, kernel_size, name=f"group_{number}") for number in range(1, groups + 1)]

    def build(self, *_):
        for group in self.groups:
            group.build((None, None, self.size // len(self.groups)))

    def call(self, inputs):
        """Inputs (batch, frames, size) -> (batch, frames - kernel_size + 1, size)."""
        parts = ops.split(inputs, len(self.groups), axis=-1)
        return ops.concatenate([group(part) for group, part in zip(self.groups, parts)], axis=-1)

    def compute_output_shape(self, inputs_shape):
        batch, frames, size = inputs_shape
        return batch, None if frames is None else frames - self.kernel_size + 1, size

    def get_config(self):
        return {**super().get_config(), "size": self.size, "kernel_size": self.kernel_size, "groups": len(self.groups)}
