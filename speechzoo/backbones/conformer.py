"""Conformer (Gulati et al. 2020, https://arxiv.org/abs/2005.08100) in the form of NVIDIA's Fast Conformer."""

import keras
from keras import ops

from speechzoo.backbones.attention import RelativeAttention, sinusoids
from speechzoo.backbones.backbone import Backbone
from speechzoo.backbones.convolution import ConvolutionModule
from speechzoo.backbones.initializers import residual_branch
from speechzoo.backbones.subsampling import ConvSubsampling
from speechzoo.dense import FrameDense
from speechzoo.masking import sequence_mask


class Conformer(Backbone):
    """Convolutional subsampling, then blocks of half feed-forward, attention, convolution, half feed-forward.

    With the same weights it computes what `transformers.ParakeetEncoder` does.

    Args:
        size: Channels.
        num_blocks: Conformer blocks.
        num_heads: Attention heads.
        feed_forward_size: Channels inside the feed-forward modules; 4 x size when None.
        kernel_size: Width of the depthwise convolution, frames.
        normalization: Of the convolution modules: `batch` or `layer`.
        subsampling: Feature frames for one output frame: 4 or 8.
        subsampling_channels: Channels of the subsampling convolutions.
        dropout: Dropout rate of what each module adds (not inside attention and feed-forward, where drawing the random
            numbers costs as much as the layer).

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames (batch, ceil(frames / subsampling), size) after each block, and their lengths.
    """

    def __init__(self, size: int = 144, num_blocks: int = 8, num_heads: int = 4, feed_forward_size: int | None = None,
                 kernel_size: int = 9, normalization: str = "batch", subsampling: int = 4,
                 subsampling_channels: int = 64, dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size or 4 * size
        self.kernel_size = kernel_size
        self.normalization = normalization
        self.subsampling = subsampling
        self.subsampling_channels = subsampling_channels
        self.dropout_rate = dropout
        self.subsample = ConvSubsampling(size, subsampling, subsampling_channels, name="subsampling")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.blocks = [ConformerBlock(size, num_heads, self.feed_forward_size, kernel_size, normalization, dropout,
                                      name=f"block_{i}") for i in range(1, num_blocks + 1)]

    def build_stem(self, features_shape):
        self.subsample.build(features_shape)
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        return shape

    def stem(self, features, lengths, training):
        hidden, lengths = self.subsample(features, lengths)
        hidden = self.dropout(hidden * self.size ** 0.5, training=training)
        positions = sinusoids(ops.shape(hidden)[1], self.size)
        return {"hidden": hidden, "lengths": lengths, "valid": sequence_mask(lengths, hidden), "positions": positions}

    def block(self, number, stream, training):
        block = self.blocks[number - 1]
        return {**stream, "hidden": block(stream["hidden"], stream["positions"], stream["valid"], training=training)}

    def frames(self, number, stream, training):
        return stream["hidden"] if stream["valid"] is None else stream["hidden"] * stream["valid"]

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_blocks": self.num_blocks, "num_heads": self.num_heads,
                "feed_forward_size": self.feed_forward_size, "kernel_size": self.kernel_size,
                "normalization": self.normalization, "subsampling": self.subsampling,
                "subsampling_channels": self.subsampling_channels, "dropout": self.dropout_rate}


class ConformerBlock(keras.layers.Layer):
    """One macaron block of the Conformer; arguments as there."""

    def __init__(self, size: int, num_heads: int, feed_forward_size: int, kernel_size: int, normalization: str,
                 dropout: float, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.feed_forward_1 = FeedForward(size, feed_forward_size, name="feed_forward_1")
        self.attention = RelativeAttention(size, num_heads, name="attention")
        self.convolution = ConvolutionModule(size, kernel_size, normalization, name="convolution")
        self.feed_forward_2 = FeedForward(size, feed_forward_size, name="feed_forward_2")
        names = ("norm_feed_forward_1", "norm_attention", "norm_convolution", "norm_feed_forward_2", "norm_output")
        self.norms = [keras.layers.LayerNormalization(epsilon=1e-5, name=name) for name in names]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        for layer in (self.feed_forward_1, self.attention, self.convolution, self.feed_forward_2, *self.norms):
            layer.build((None, None, self.size))

    def call(self, inputs, positions, valid=None, training=False):
        norm = iter(self.norms)
        expanded = self.feed_forward_1(next(norm)(inputs))
        hidden = inputs + 0.5 * self.dropout(expanded, training=training)
        attended = self.attention(next(norm)(hidden), positions, valid)
        hidden = hidden + self.dropout(attended, training=training)
        convolved = self.convolution(next(norm)(hidden), valid, training=training)
        hidden = hidden + self.dropout(convolved, training=training)
        expanded = self.feed_forward_2(next(norm)(hidden))
        hidden = hidden + 0.5 * self.dropout(expanded, training=training)
        return next(norm)(hidden)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape


class FeedForward(keras.layers.Layer):
    """Two dense layers with a swish between them."""

    def __init__(self, size: int, inner_size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.inner_size = inner_size
        self.expand = FrameDense(inner_size, name="expand")
        self.project = FrameDense(size, kernel_initializer=residual_branch(), name="project")

    def build(self, *_):
        self.expand.build((None, None, self.size))
        self.project.build((None, None, self.inner_size))

    def call(self, inputs):
        return self.project(ops.silu(self.expand(inputs)))

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape
