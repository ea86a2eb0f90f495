"""Multi-head self-attention with relative positions."""

import keras
import numpy as np
from keras import ops


def relative_positions(length, size: int):
    """Sinusoids of the distances length - 1 ... -(length - 1), sines and cosines interleaved: (2 length - 1, size)."""
    distance = ops.cast(ops.arange(2 * length - 1), "float32") - ops.cast(length - 1, "float32")
    frequency = np.exp(-np.log(10000.0) * np.arange(0, size, 2) / size).astype(np.float32)
    angle = -distance[:, None] * frequency[None, :]
    return ops.reshape(ops.stack([ops.sin(angle), ops.cos(angle)], axis=-1), (2 * length - 1, size))


class RelativeAttention(keras.layers.Layer):
    """Self-attention whose scores see content and distance.

    Reference: Transformer-XL (Dai et al. 2019, https://arxiv.org/abs/1901.02860), section 3.3 and the shift of appendix B.

    Args:
        size: Channels in and out.
        num_heads: Attention heads; must divide `size`.
        dropout: Dropout rate of the attention weights.

    Call arguments:
        inputs: (batch, frames, size).
        positions: (2 frames - 1, size) from `relative_positions`.
        valid: (batch, frames, 1) of ones and zeros, or None.
    """

    def __init__(self, size: int, num_heads: int, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels")
        self.size = size
        self.num_heads = num_heads
        self.dropout_rate = dropout
        self.query = keras.layers.Dense(size, name="query")
        self.key = keras.layers.Dense(size, name="key")
        self.value = keras.layers.Dense(size, name="value")
        self.output_projection = keras.layers.Dense(size, name="output")
        self.position = keras.layers.Dense(size, use_bias=False, name="position")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        for layer in (self.query, self.key, self.value, self.output_projection, self.position):
            layer.build((None, None, self.size))
        shape = (self.num_heads, 1, self.size // self.num_heads)
        self.content_bias = self.add_weight(name="content_bias", shape=shape, initializer="zeros")
        self.position_bias = self.add_weight(name="position_bias", shape=shape, initializer="zeros")

    def call(self, inputs, positions, valid=None, training=False):
        batch, frames = ops.shape(inputs)[0], ops.shape(inputs)[1]
        depth = self.size // self.num_heads
        # The scale goes into the queries: one small multiplication instead of one on every score.
        query = self._split(self.query(inputs), batch, frames) * depth ** -0.5
        key = self._split(self.key(inputs), batch, frames)
        value = self._split(self.value(inputs), batch, frames)
        distance = ops.reshape(self.position(positions), (2 * frames - 1, self.num_heads, depth))
        scale = depth ** -0.5
        content = ops.matmul(query + self.content_bias * scale, ops.transpose(key, (0, 1, 3, 2)))
        position = ops.matmul(query + self.position_bias * scale, ops.transpose(distance, (1, 2, 0)))
        scores = content + self._shift(position, batch, frames)
        if valid is not None:
            scores = scores + (ops.transpose(valid, (0, 2, 1))[:, None] - 1.0) * 1e9
        weights = self.dropout(ops.softmax(scores), training=training)
        context = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, (batch, frames, self.size)))

    def _split(self, tensor, batch, frames):
        tensor = ops.reshape(tensor, (batch, frames, self.num_heads, self.size // self.num_heads))
        return ops.transpose(tensor, (0, 2, 1, 3))

    def _shift(self, scores, batch, frames):
        """Column d of row i, the score of distance frames - 1 - d, goes to column j with i - j at that distance."""
        scores = ops.pad(scores, ((0, 0), (0, 0), (0, 0), (1, 0)))
        scores = ops.reshape(scores, (batch, self.num_heads, 2 * frames, frames))[:, :, 1:]
        return ops.reshape(scores, (batch, self.num_heads, frames, 2 * frames - 1))[..., :frames]

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads, "dropout": self.dropout_rate}
