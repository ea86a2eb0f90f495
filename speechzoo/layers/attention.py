"""Multi-head self-attention, plain and with relative positions."""

import keras
import numpy as np
from keras import ops

from speechzoo.layers.initializers import residual_branch
from speechzoo.layers.masking import excluding
from speechzoo.layers.quantizable import FrameDense


def sinusoids(frames, size: int, dtype="float32"):
    """Sine and cosine of each position at `size / 2` frequencies (Vaswani et al. 2017): two (frames, size / 2)."""
    angle = _angles(ops.arange(frames, dtype="int32"), size)
    return ops.cast(ops.sin(angle), dtype), ops.cast(ops.cos(angle), dtype)


def interleaved_sinusoids(positions, size: int, dtype="float32"):
    """The same of given positions, int32 of any shape -> (..., size): sine and cosine of each frequency in turn."""
    angle = _angles(positions, size)
    pairs = ops.stack([ops.sin(angle), ops.cos(angle)], axis=-1)
    return ops.cast(ops.reshape(pairs, (*ops.shape(positions), size)), dtype)


def _angles(positions, size):
    frequency = np.exp(-np.log(10000.0) * np.arange(0, size, 2) / size).astype(np.float32)
    return ops.cast(positions, "float32")[..., None] * frequency


@keras.saving.register_keras_serializable(package="speechzoo")
class SelfAttention(keras.layers.Layer):
    """Self-attention whose scores see content alone (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, 3.2.2).

    The keys have no bias: it adds the same to the score of every key, which a softmax doesn't see.

    Args:
        size: Channels in and out.
        num_heads: Attention heads; must divide `size`.

    Call arguments:
        inputs: (batch, frames, size).
        valid: (batch, frames, 1) of ones and zeros, or None.

    Returns:
        (batch, frames, size).
    """

    def __init__(self, size: int, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads or size % 2:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels, or the channels are odd")
        self.size = size
        self.num_heads = num_heads
        self.query = FrameDense(size, name="query")
        self.key = FrameDense(size, use_bias=False, name="key")
        self.value = FrameDense(size, name="value")
        self.output_projection = FrameDense(size, name="output")

    def build(self, *_):
        for layer in (self.query, self.key, self.value, self.output_projection):
            layer.build((None, None, self.size))

    def call(self, inputs, valid=None):
        """Inputs (batch, frames, size) -> (batch, frames, size)."""
        # The scale goes into the queries: one small multiplication instead of one on every score.
        query, key, value = (self.query(inputs) * (self.size // self.num_heads) ** -0.5, self.key(inputs),
                             self.value(inputs))
        if valid is None:
            return self.output_projection(self._one_head_after_another(query, key, value))
        context, _ = attend(*(split_heads(part, self.num_heads) for part in (query, key, value)),
                            excluding(ops.transpose(valid, (0, 2, 1))))
        return self.output_projection(join_heads(context))

    def _one_head_after_another(self, *parts):
        """Contexts (batch, frames, size) where nothing is padded, as in an exported file.

        A device then holds the scores of one head at a time: those of 30 s of Whisper take 9 MB for each.
        """
        depth = self.size // self.num_heads
        heads = [[part[..., first:first + depth] for part in parts] for first in range(0, self.size, depth)]
        return ops.concatenate([attend(*head)[0] for head in heads], axis=-1)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads}


@keras.saving.register_keras_serializable(package="speechzoo")
class RelativeAttention(keras.layers.Layer):
    """Self-attention whose scores see content and distance.

    The scores are those of Transformer-XL (Dai et al. 2019, https://arxiv.org/abs/1901.02860, section 3.3). Their
    positional part is a product with a sinusoid of i - j for every pair; it is computed without a table of distances
    and without shifting rows, by sin(i - j) = sin i cos j - cos i sin j and its sibling for the cosine: turn the query
    by its own position, then multiply with the sinusoids of j.

    Args:
        size: Channels in and out; even.
        num_heads: Attention heads; must divide `size`.
        left_context: Frames before its inputs that a step of a stream sees.

    Call arguments:
        inputs: (batch, frames, size).
        positions: The two tensors of `sinusoids`, for the frames that are seen: in a step of a stream, `left_context`
            ones and then its own.
        valid: (batch, frames, 1) of ones and zeros, or None.
        reach: Added to the scores: 0 where a frame (row) may see another (column), very negative elsewhere; broadcasts
            to (batch, frames, frames seen). None where all see all.
        state: `StreamState` of a step in a stream, or None.
    """

    def __init__(self, size: int, num_heads: int, left_context: int = 0, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads or size % 2:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels, or the channels are odd")
        self.size = size
        self.num_heads = num_heads
        self.left_context = left_context
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

    def call(self, inputs, positions, valid=None, reach=None, state=None):
        """Inputs (batch, frames, size) -> (batch, frames, size)."""
        batch, frames = ops.shape(inputs)[0], ops.shape(inputs)[1]
        scale = (self.size // self.num_heads) ** -0.5
        # The scale goes into the queries: one small multiplication instead of one on every score.
        query = split_heads(self.query(inputs), self.num_heads) * scale
        key, value, seen = self.key(inputs), self.value(inputs), frames
        if state is not None and self.left_context:
            key = state.prepend("keys", key, self.left_context)
            value = state.prepend("values", value, self.left_context)
            seen = self.left_context + frames
        key, value = split_heads(key, self.num_heads), split_heads(value, self.num_heads)
        scores = ops.matmul(query + self.content_bias[:, None] * scale, ops.transpose(key, (0, 1, 3, 2)))
        own = positions if seen is frames else [position[self.left_context:] for position in positions]
        scores = scores + self._position_scores(query + self.position_bias[:, None] * scale, own, positions)
        if valid is not None:
            scores = scores + excluding(ops.transpose(valid, (0, 2, 1)))
        if reach is not None:
            scores = scores + reach
        return self.output_projection(join_heads(ops.matmul(ops.softmax(scores), value)))

    def _position_scores(self, query, own, seen):
        """Score of the distance i - j for every pair of an own and a seen frame: (heads, batch, frames i, frames j)."""
        _, batch, frames, depth = ops.shape(query)
        weights = ops.concatenate([self.position_sine, self.position_cosine], axis=-1)
        turned = ops.matmul(ops.reshape(query, (self.num_heads, -1, depth)), weights)
        of_sine, of_cosine = ops.split(ops.reshape(turned, (self.num_heads, batch, frames, self.size)), 2, axis=-1)
        sine, cosine = own
        turned = ops.concatenate([of_sine * sine + of_cosine * cosine, of_cosine * sine - of_sine * cosine], axis=-1)
        of_keys = ops.transpose(ops.concatenate(seen[::-1], axis=-1))
        # As one batch of rows: TFLite has a fast kernel for batches, and none for a product of two plain matrices.
        scores = ops.matmul(ops.reshape(turned, (1, -1, self.size)), of_keys[None])
        return ops.reshape(scores, (self.num_heads, batch, frames, -1))

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads,
                "left_context": self.left_context}


def attend(query, key, value, penalty=None):
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1); the queries are scaled already.

    Args:
        query: (..., rows, depth).
        key, value: (..., columns, depth).
        penalty: Added to the scores (..., rows, columns); None where every row sees every column.

    Returns:
        Contexts (..., rows, depth) and weights (..., rows, columns).
    """
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
    weights = ops.softmax(scores if penalty is None else scores + penalty)
    return ops.matmul(weights, value), weights


def attend_rows(query, keys, values, penalty, num_heads: int):
    """`attend` for few queries, which reads keys and values where they lie: nothing as long as they is copied.

    Each attention head's query is a row of its own that is zero in the channels of the other heads. This multiplies
    more, by the number of heads, and moves less, which is what a step of a decoder takes its time for.

    Args:
        query: (texts, 1, size); scaled already.
        keys: (texts, positions, size), or (1, positions, size) of a source that all texts share.
        values: (texts, size, positions), or (1, size, positions).
        penalty: Added to the scores, (texts, 1, positions) or (1, 1, positions).
        num_heads: Attention heads; must divide size.

    Returns:
        Contexts (texts, 1, size) and weights (texts, attention heads, positions).
    """
    texts, _, size = ops.shape(query)
    own = np.kron(np.eye(num_heads, dtype=np.float32), np.ones((1, size // num_heads), np.float32))
    own = ops.convert_to_tensor(own, dtype=query.dtype)
    rows = query * own[None]
    shared = keys.shape[0] == 1
    rows = ops.reshape(rows, (1, -1, size)) if shared else rows
    # The long operand stands first: kernels rearrange the second.
    scores = ops.transpose(ops.matmul(keys, ops.transpose(rows, (0, 2, 1))), (0, 2, 1))
    weights = ops.softmax(scores + penalty)
    contexts = ops.transpose(ops.matmul(values, ops.transpose(weights, (0, 2, 1))), (0, 2, 1))
    contexts = ops.reshape(contexts, (-1, num_heads, size)) if shared else contexts
    weights = ops.reshape(weights, (-1, num_heads, ops.shape(keys)[1])) if shared else weights
    return ops.sum(contexts * own[None], axis=1, keepdims=True), weights


def split_heads(tensor, num_heads: int):
    """(batch, frames, size) -> (heads, batch, frames, depth): one product of a head's weights with all rows."""
    batch, frames, size = ops.shape(tensor)
    return ops.transpose(ops.reshape(tensor, (batch, frames, num_heads, size // num_heads)), (2, 0, 1, 3))


def join_heads(tensor):
    """(heads, batch, frames, depth) -> (batch, frames, size), the inverse of `split_heads`."""
    num_heads, batch, frames, depth = ops.shape(tensor)
    return ops.reshape(ops.transpose(tensor, (1, 2, 0, 3)), (batch, frames, num_heads * depth))
