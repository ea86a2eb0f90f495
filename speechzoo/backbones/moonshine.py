"""The encoder of Moonshine (Jeffries et al. 2024, https://arxiv.org/abs/2410.15608, section 3.1)."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.feed_forward import FeedForward
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import UtteranceNormalization
from speechzoo.layers.quantizable import Conv1D, FrameDense
from speechzoo.layers.rotary_attention import RotaryAttention
from speechzoo.layers.transformer import EPSILON, normalize_channels

_KERNEL_SIZES, _STRIDES = (7, 3), (3, 2)  # of the convolutions behind the first one, which is the front end's window
_RECEPTIVE_FIELD = 13  # feature frames that an output frame sees: 7 + (3 - 1) x 3


@keras.saving.register_keras_serializable(package="speechzoo")
class Moonshine(Backbone):
    """Three strided convolutions over samples, then transformer blocks with rotary positions.

    Its front end is `waveform` with windows of 127 samples, one every 64, that are not normalised. With the weights of
    a published model (`speechzoo import`) it computes what transformers' `MoonshineEncoder` does for a recording alone.
    The frames that leave a block before the last are normalised over the channels (`normalize_channels`); the last
    block ends with the encoder's own layer normalisation.

    Args:
        size: Channels.
        num_blocks: Blocks.
        num_heads: Attention heads; must divide `size`.
        rotary_size: Channels of each head that turn with the position.
        feed_forward_size: Channels inside the feed-forward modules; 4 x size when None.
        dropout: Dropout rate of what each module adds.

    Call arguments:
        features: (batch, frames, samples of a window).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames (batch, frames out, size) after each block, and their lengths. Frames out are what the
        convolutions make of complete windows only, but one at least: see `output_lengths`.
    """

    subsampling = 6

    def __init__(self, size: int = 288, num_blocks: int = 6, num_heads: int = 8, rotary_size: int = 32,
                 feed_forward_size: int | None = None, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.rotary_size = rotary_size
        self.feed_forward_size = feed_forward_size or 4 * size
        self.dropout_rate = dropout
        self.convolution_1 = FrameDense(size, use_bias=False, activation="tanh", name="convolution_1")
        self.norm_convolution_1 = UtteranceNormalization(epsilon=EPSILON, over_channels=True, name="norm_convolution_1")
        self.convolutions = [
            Conv1D(channels, width, strides=stride, name=f"convolution_{number}")
            for number, (channels, width, stride) in enumerate(zip((2 * size, size), _KERNEL_SIZES, _STRIDES), 2)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.blocks = [MoonshineBlock(size, num_heads, rotary_size, self.feed_forward_size, dropout,
                                      name=f"block_{number}") for number in range(1, num_blocks + 1)]
        self.norm = _norm("norm")

    def build_stem(self, features_shape):
        self.convolution_1.build(features_shape)
        self.norm_convolution_1.build((None, None, self.size))
        for convolution, channels in zip(self.convolutions, (self.size, 2 * self.size)):
            convolution.build((None, None, channels))
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        if number == self.num_blocks:
            self.norm.build(shape)
        return shape

    def stem(self, features, lengths, training):
        batch, frames = ops.shape(features)[0], ops.shape(features)[1]
        mask = sequence_mask(lengths, features)
        hidden = self.norm_convolution_1(self.convolution_1(features), mask)
        hidden = hidden if mask is None else hidden * mask
        # With zeros behind them, audio that is too short for one frame gives one; frames that see nothing else go.
        hidden = ops.pad(hidden, ((0, 0), (0, _RECEPTIVE_FIELD - 1), (0, 0)))
        for convolution in self.convolutions:
            hidden = ops.gelu(convolution(hidden), approximate=False)
        hidden = ops.slice(hidden, (0, 0, 0), (batch, self.output_lengths(frames), self.size))
        lengths = self.output_lengths(lengths)
        return {"hidden": self.dropout(hidden, training=training), "lengths": lengths,
                "valid": sequence_mask(lengths, hidden)}

    def block(self, number, stream, training):
        hidden = self.blocks[number - 1](stream["hidden"], stream["valid"], training=training)
        return {**stream, "hidden": self.norm(hidden) if number == self.num_blocks else hidden}

    def frames(self, number, stream, training):
        frames = stream["hidden"]
        if number < self.num_blocks:
            frames = normalize_channels(frames)
        frames = ops.cast(frames, self.compute_dtype)
        return frames if stream["valid"] is None else frames * stream["valid"]

    def output_lengths(self, lengths):
        """max(1, (lengths - 13) // 6 + 1): windows that the convolutions see as a whole."""
        if lengths is None:
            return None
        beyond = lengths - _RECEPTIVE_FIELD
        # A length that is known stays a plain number: other backends can't cut to one that isn't.
        return (max(beyond, 0) if isinstance(beyond, int) else ops.maximum(beyond, 0)) // self.subsampling + 1

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_blocks": self.num_blocks, "num_heads": self.num_heads,
                "rotary_size": self.rotary_size, "feed_forward_size": self.feed_forward_size,
                "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="speechzoo")
class MoonshineBlock(keras.layers.Layer):
    """Attention, then feed-forward, each behind its layer normalisation; arguments as of `Moonshine`."""

    def __init__(self, size: int, num_heads: int, rotary_size: int, feed_forward_size: int, dropout: float, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.norm_attention = _norm("norm_attention")
        self.attention = RotaryAttention(size, num_heads, rotary_size, name="attention")
        self.norm_feed_forward = _norm("norm_feed_forward")
        self.feed_forward = FeedForward(size, feed_forward_size, "gelu", name="feed_forward")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        for layer in (self.norm_attention, self.attention, self.norm_feed_forward, self.feed_forward):
            layer.build((None, None, self.size))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, size) -> (batch, frames, size); `valid` (batch, frames, 1) is zero in the padding."""
        attended = self.attention(self.norm_attention(inputs), valid)
        hidden = inputs + self.dropout(attended, training=training)
        return hidden + self.dropout(self.feed_forward(self.norm_feed_forward(hidden)), training=training)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape


def _norm(name):
    """Layer normalisation without an offset."""
    return keras.layers.LayerNormalization(epsilon=EPSILON, center=False, name=name)
