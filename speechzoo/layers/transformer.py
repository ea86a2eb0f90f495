"""The block of transformer encoders (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1)."""

import keras
from keras import ops

from speechzoo.layers.attention import SelfAttention
from speechzoo.layers.feed_forward import FeedForward

EPSILON = 1e-5
"""`EPSILON` of every layer normalisation, as PyTorch's."""


@keras.saving.register_keras_serializable(package="speechzoo")
class TransformerBlock(keras.layers.Layer):
    """Attention, then feed-forward, each with its layer normalisation and added to what entered.

    Args:
        size: Channels in and out.
        num_heads: Attention heads; must divide `size`.
        feed_forward_size: Channels inside the feed-forward module.
        dropout: Dropout rate of what each module adds.
        norm_first: The normalisations stand before the modules (as in Whisper); otherwise behind the sums, as in the
            paper.

    Call arguments:
        inputs: (batch, frames, size).
        valid: (batch, frames, 1) of ones and zeros, or None.

    Returns:
        (batch, frames, size).
    """

    def __init__(self, size: int, num_heads: int, feed_forward_size: int, dropout: float, norm_first: bool = True,
                 **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.norm_first = norm_first
        self.norm_attention = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm_attention")
        self.attention = SelfAttention(size, num_heads, name="attention")
        self.norm_feed_forward = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm_feed_forward")
        self.feed_forward = FeedForward(size, feed_forward_size, "gelu", name="feed_forward")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        for layer in (self.norm_attention, self.attention, self.norm_feed_forward, self.feed_forward):
            layer.build((None, None, self.size))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, size) -> (batch, frames, size); `valid` (batch, frames, 1) is zero in the padding."""
        if self.norm_first:
            attended = self.attention(self.norm_attention(inputs), valid)
            hidden = inputs + self.dropout(attended, training=training)
            return hidden + self.dropout(self.feed_forward(self.norm_feed_forward(hidden)), training=training)
        hidden = self.norm_attention(inputs + self.dropout(self.attention(inputs, valid), training=training))
        return self.norm_feed_forward(hidden + self.dropout(self.feed_forward(hidden), training=training))

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape


def normalize_channels(frames):
    """Frames with mean 0 and variance 1 over their channels, without weights: (batch, frames, channels), float32.

    For heads at blocks whose sums were not normalised: inside of a network a few channels grow a hundred times as large
    as the others, and a head would have to learn that first.
    """
    frames = ops.cast(frames, "float32")  # what leaves a block is large enough for squares beyond float16
    frames = frames - ops.mean(frames, axis=-1, keepdims=True)
    return frames * ops.rsqrt(ops.mean(ops.square(frames), axis=-1, keepdims=True) + EPSILON)
