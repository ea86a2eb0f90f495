"""The encoder of OpenAI's Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2)."""

import keras
import numpy as np
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv1D
from speechzoo.layers.transformer import EPSILON, TransformerBlock, normalize_channels

_KERNEL_SIZE = 3  # of both convolutions, frames


@keras.saving.register_keras_serializable(package="speechzoo")
class Whisper(Backbone):
    """Two convolutions, the second of which halves the frames, then blocks of attention and feed-forward.

    With the weights of a published model (`speechzoo import`) it computes what that model's encoder does. Two things
    are freer here: positions come from the formula behind Whisper's table, so that recordings may have any length, and
    nothing has to be completed to 30 s. Without that silence behind it, a published encoder hears a little differently,
    most of all in the last fifth of a second; fine-tuning mends it.

    The frames that leave a block before the last are normalised to mean 0 and variance 1 over the channels, without
    weights (`normalize_channels`). The last block ends with the encoder's own layer normalisation.

    Args:
        size: Channels; even.
        num_blocks: Blocks.
        num_heads: Attention heads; must divide `size`.
        feed_forward_size: Channels inside the feed-forward modules; 4 x size when None.
        dropout: Dropout rate of what each module adds.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames (batch, ceil(frames / 2), size) after each block, and their lengths.
    """

    subsampling = 2

    def __init__(self, size: int = 384, num_blocks: int = 4, num_heads: int = 6, feed_forward_size: int | None = None,
                 dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size or 4 * size
        self.dropout_rate = dropout
        self.convolution_1 = Conv1D(size, _KERNEL_SIZE, padding="same", name="convolution_1")
        # Keras's "same" pads an even number of frames at the end only, Whisper's at both ends.
        self.convolution_2 = Conv1D(size, _KERNEL_SIZE, strides=2, name="convolution_2")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.blocks = [TransformerBlock(size, num_heads, self.feed_forward_size, dropout, name=f"block_{number}")
                       for number in range(1, num_blocks + 1)]
        self.norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm")

    def build_stem(self, features_shape):
        self.convolution_1.build(features_shape)
        self.convolution_2.build((None, None, self.size))
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        if number == self.num_blocks:
            self.norm.build(shape)
        return shape

    def stem(self, features, lengths, training):
        mask = sequence_mask(lengths, features)
        hidden = self.convolution_1(features if mask is None else features * mask)
        hidden = ops.gelu(hidden, approximate=False)
        hidden = hidden if mask is None else hidden * mask
        hidden = self.convolution_2(ops.pad(hidden, ((0, 0), (1, 1), (0, 0))))
        hidden = ops.gelu(hidden, approximate=False)
        hidden = hidden + ops.cast(positions(ops.shape(hidden)[1], self.size), hidden.dtype)
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

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_blocks": self.num_blocks, "num_heads": self.num_heads,
                "feed_forward_size": self.feed_forward_size, "dropout": self.dropout_rate}


def positions(frames, size: int):
    """Whisper's sinusoids: sines of each position at size / 2 frequencies from 1 to 1 / 10000, then cosines.

    The table in published weights is this in float16.

    Returns:
        float32 (frames, size).
    """
    frequencies = np.exp(-np.log(10000.0) * np.arange(size // 2) / max(size // 2 - 1, 1)).astype(np.float32)
    angle = ops.cast(ops.arange(frames, dtype="int32"), "float32")[:, None] * frequencies[None, :]
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)
