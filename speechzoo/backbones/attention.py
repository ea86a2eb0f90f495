"""Multi-head self-attention with relative positions."""

import keras
import numpy as np
from keras import ops

from speechzoo.backbones.initializers import residual_branch
from speechzoo.dense import FrameDense


def sinusoids(frames, size: int):
    """Sine and cosine of each position at `size / 2` frequencies (Vaswani et al. 2017): two (frames, size / 2)."""
    frequency = np.exp(-np.log(10000.0) * np.arange(0, size, 2) / size).astype(np.float32)
    angle = ops.cast(ops.arange(frames), "float32")[:, None] * frequency[None, :]
    return ops.sin(angle), ops.cos(angle)


class RelativeAttention(keras.layers.Layer):
    """Self-attention whose scores see content and distance.

    The scores are those of Transformer-XL (Dai et al. 2019, https://arxiv.org/abs/1901.02860, section 3.3). Their
    positional part is a product with a sinusoid of i - j for every pair; it is computed without a table of distances
    and without shifting rows, by sin(i - j) = sin i cos j - cos i sin j and its sibling for the cosine: turn the query
    by its own position, then multiply with the sinusoids of j.

    Args:
        size: Channels in and out; even.
        num_heads: Attention heads; must divide `size`.

    Call arguments:
        inputs: (batch, frames, size).
        positions: The two tensors of `sinusoids`.
        valid: (batch, frames, 1) of ones and zeros, or None.
    """

    def __init__(self, size: int, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads or size % 2:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels, or the channels are odd")
        self.size = size
        self.num_heads = num_heads
        self.query = FrameDense(size, name="query")
        self.key = FrameDense(size, name="key")
        self.value = FrameDense(size, name="value")
        self.output_projection = FrameDense(size, kernel_initializer=residual_branch(), name="output")

    def build(self, *_):
        for layer in (self.query, self.key, self.value, self.output_projection):
            layer.build((None, None, self.size))
        depth = self.size // self.num_heads
        for name in ("content_bias", "position_bias"):
            setattr(self, name, self.add_weight(name=name, shape=(self.num_heads, 1, depth), initializer="zeros"))
        for name in ("position_sine", "position_cosine"):
            setattr(self, name, self.add_weight(name=name, shape=(self.num_heads, depth, self.size // 2),
                                                initializer=keras.initializers.RandomNormal(stddev=self.size ** -0.5)))

    def call(self, inputs, positions, valid=None):
        batch, frames = ops.shape(inputs)[0], ops.shape(inputs)[1]
        scale = (self.size // self.num_heads) ** -0.5
        # The scale goes into the queries: one small multiplication instead of one on every score.
        query = self._split(self.query(inputs), batch, frames) * scale
        key = self._split(self.key(inputs), batch, frames)
        value = self._split(self.value(inputs), batch, frames)
        scores = ops.matmul(query + self.content_bias * scale, ops.transpose(key, (0, 1, 3, 2)))
        scores = scores + self._position_scores(query + self.position_bias * scale, *positions)
        if valid is not None:
            scores = scores + (ops.transpose(valid, (0, 2, 1))[:, None] - 1.0) * 1e9
        context = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, (batch, frames, self.size)))

    def _split(self, tensor, batch, frames):
        tensor = ops.reshape(tensor, (batch, frames, self.num_heads, self.size // self.num_heads))
        return ops.transpose(tensor, (0, 2, 1, 3))

    def _position_scores(self, query, sine, cosine):
        """Score of the distance i - j for every pair: (batch, heads, frames i, frames j)."""
        position_sine, position_cosine = self.position_sine, self.position_cosine
        if self.num_heads == 1:
            # On the CPU, TensorFlow writes past its buffers where (batch, 1, m, k) meets a matrix without a batch
            # (https://github.com/tensorflow/tensorflow/issues/123109): a single head goes without its axis.
            query, position_sine, position_cosine = query[:, 0], position_sine[0], position_cosine[0]
        of_sine = ops.matmul(query, position_sine)
        of_cosine = ops.matmul(query, position_cosine)
        turned = ops.concatenate([of_sine * sine + of_cosine * cosine, of_cosine * sine - of_sine * cosine], axis=-1)
        scores = ops.matmul(turned, ops.transpose(ops.concatenate([cosine, sine], axis=-1)))
        return scores[:, None] if self.num_heads == 1 else scores

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads}
