"""Multi-head self-attention that turns queries and keys by their positions."""

import keras
import numpy as np
from keras import ops

from speechzoo.layers.attention import attend, join_heads, split_heads
from speechzoo.layers.masking import excluding
from speechzoo.layers.quantizable import FrameDense


@keras.saving.register_keras_serializable(package="speechzoo")
class RotaryAttention(keras.layers.Layer):
    """Self-attention with rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864, section 3.2).

    Channel i of the first half of a head's turning channels and channel i of the second half are a pair, which turns by
    position x 10000^(-2 i / rotary_size). There are no biases.

    Args:
        size: Channels in and out.
        num_heads: Attention heads; must divide `size`.
        rotary_size: Channels of each head that turn; even.

    Call arguments:
        inputs: (batch, frames, size).
        valid: (batch, frames, 1) of ones and zeros, or None.

    Returns:
        (batch, frames, size).

    Raises:
        ValueError: Sizes that don't fit each other.
    """

    def __init__(self, size: int, num_heads: int, rotary_size: int, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels")
        if rotary_size % 2 or not 0 < rotary_size <= size // num_heads:
            raise ValueError(f"attention: rotary_size {rotary_size} is odd, or not 2 to {size // num_heads}, the "
                             "channels of a head")
        self.size = size
        self.num_heads = num_heads
        self.rotary_size = rotary_size
        self.query, self.key, self.value, self.output_projection = (
            FrameDense(size, use_bias=False, name=name) for name in ("query", "key", "value", "output"))

    def build(self, *_):
        for layer in (self.query, self.key, self.value, self.output_projection):
            layer.build((None, None, self.size))

    def call(self, inputs, valid=None):
        """Inputs (batch, frames, size) -> (batch, frames, size)."""
        angles = self._angles(ops.shape(inputs)[1])
        # The scale goes into the queries: one small multiplication instead of one on every score.
        query = self._turn(self.query(inputs) * (self.size // self.num_heads) ** -0.5, angles)
        key, value = self._turn(self.key(inputs), angles), split_heads(self.value(inputs), self.num_heads)
        context, _ = attend(query, key, value, None if valid is None else excluding(ops.transpose(valid, (0, 2, 1))))
        return self.output_projection(join_heads(context))

    def _angles(self, frames):
        """float32 (frames, rotary_size / 2)."""
        rates = 10000.0 ** (-np.arange(0, self.rotary_size, 2) / self.rotary_size)
        return ops.cast(ops.arange(frames, dtype="int32"), "float32")[:, None] * rates.astype(np.float32)[None, :]

    def _turn(self, tensor, angles):
        """(batch, frames, size) -> (heads, batch, frames, depth), turned."""
        tensor, half = split_heads(tensor, self.num_heads), self.rotary_size // 2
        sine, cosine = (ops.cast(part, tensor.dtype) for part in (ops.sin(angles), ops.cos(angles)))
        first, second, rest = (tensor[..., :half], tensor[..., half:2 * half], tensor[..., 2 * half:])
        return ops.concatenate([first * cosine - second * sine, second * cosine + first * sine, rest], axis=-1)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads,
                "rotary_size": self.rotary_size}
