"""Conformer (Gulati et al. 2020, https://arxiv.org/abs/2005.08100) in the form of NVIDIA's Fast Conformer."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.attention import RelativeAttention, sinusoids
from speechzoo.layers.convolution import ConvolutionModule
from speechzoo.layers.feed_forward import FeedForward
from speechzoo.layers.masking import excluding, sequence_mask
from speechzoo.layers.stream_state import StreamState, part_of
from speechzoo.layers.subsampling import ConvSubsampling


@keras.saving.register_keras_serializable(package="speechzoo")
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
        separable_subsampling: Whether those after the first are depthwise separable, as in the Fast Conformer.
        dropout: Dropout rate of what each module adds (not inside attention and feed-forward, where drawing the random
            numbers costs as much as the layer).
        causal: For streams: convolutions see no later frame, and attention sees the frames of its chunk and a bounded
            past (Noroozi et al. 2024, https://arxiv.org/abs/2312.17279, section 2).
        chunk: Output frames of a chunk, 1 or more; a step of a stream is one or several chunks. Causal only.
        left_context: Output frames before its chunk that a frame attends to. Causal only.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames (batch, ceil(frames / subsampling), size) after each block, and their lengths.
    """

    norm_epsilon = 1e-5  # of the layer normalisations

    def __init__(self, size: int = 144, num_blocks: int = 8, num_heads: int = 4, feed_forward_size: int | None = None,
                 kernel_size: int = 9, normalization: str = "batch", subsampling: int = 4,
                 subsampling_channels: int = 64, dropout: float = 0.1, causal: bool = False, chunk: int = 1,
                 left_context: int = 0, separable_subsampling: bool = True, **kwargs):
        super().__init__(**kwargs)
        if chunk < 1 or left_context < 0:
            raise ValueError(f"conformer: chunk {chunk} is not 1 or more, or left_context {left_context} not 0 or more")
        if not causal and (chunk, left_context) != (1, 0):
            raise ValueError("conformer: chunk and left_context bound the attention of streams; add causal: true")
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size or 4 * size
        self.kernel_size = kernel_size
        self.normalization = normalization
        self.subsampling = subsampling
        self.subsampling_channels = subsampling_channels
        self.dropout_rate = dropout
        self.causal = causal
        self.chunk = chunk
        self.left_context = left_context
        self.separable_subsampling = separable_subsampling
        self.subsample = self.make_subsampling()
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.blocks = [ConformerBlock(size, num_heads, self.feed_forward_size, kernel_size, normalization, dropout,
                                      causal, left_context, self.norm_epsilon, name=f"block_{i}")
                       for i in range(1, num_blocks + 1)]

    def make_subsampling(self):
        """The layer before the blocks: features and lengths -> frames and lengths."""
        return ConvSubsampling(self.size, self.subsampling, self.subsampling_channels, self.separable_subsampling,
                               name="subsampling")

    def build_stem(self, features_shape):
        self.subsample.build(features_shape)
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        return shape

    def stem(self, features, lengths, training, state=None):
        hidden, lengths = self.subsample(features, lengths, state=part_of(state, "subsampling"))
        hidden = self.dropout(hidden * self.size ** 0.5, training=training)
        frames, before = ops.shape(hidden)[1], 0 if state is None else self.left_context
        stream = {"hidden": hidden, "lengths": lengths, "valid": sequence_mask(lengths, hidden),
                  "positions": sinusoids(before + frames, self.size, hidden.dtype)}
        return {**stream, "reach": self._reach(hidden, frames, before, state)} if self.causal else stream

    def block(self, number, stream, training):
        state = part_of(stream.get("state"), f"block_{number}")
        hidden = self.blocks[number - 1](stream["hidden"], stream["positions"], stream["valid"], stream.get("reach"),
                                         training=training, state=state)
        return {**stream, "hidden": hidden}

    def adaptable(self, number):
        return self.blocks[number - 1].adaptable

    def before_adaptable(self, number, stream):
        return self.blocks[number - 1].across_frames(stream["hidden"], stream["positions"], stream["valid"],
                                                     stream.get("reach"))

    def adaptable_part(self, number, *inputs):
        return self.blocks[number - 1].within_frames(*inputs)

    def _reach(self, hidden, frames, before, state: StreamState | None):
        """Which frames see which: see `RelativeAttention`."""
        # The first of the chunk that a frame is in.
        first = before + ops.arange(frames, dtype="int32")[:, None] // self.chunk * self.chunk
        seen = ops.arange(before + frames, dtype="int32")[None]
        inside = ops.logical_and(seen >= first - self.left_context, seen < first + self.chunk)
        reach = excluding(ops.cast(inside, hidden.dtype))
        if not before:
            return reach
        # The first frames of a stream have no past yet, only the zeros that stand for it.
        heard = state.prepend("heard", ops.ones_like(hidden[..., 0]), before)
        return reach + excluding(heard[:, None])

    def frames(self, number, stream, training):
        return stream["hidden"] if stream["valid"] is None else stream["hidden"] * stream["valid"]

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_blocks": self.num_blocks, "num_heads": self.num_heads,
                "feed_forward_size": self.feed_forward_size, "kernel_size": self.kernel_size,
                "normalization": self.normalization, "subsampling": self.subsampling,
                "subsampling_channels": self.subsampling_channels, "dropout": self.dropout_rate,
                "causal": self.causal, "chunk": self.chunk, "left_context": self.left_context,
                "separable_subsampling": self.separable_subsampling}


@keras.saving.register_keras_serializable(package="speechzoo")
class ConformerBlock(keras.layers.Layer):
    """One macaron block of the Conformer; arguments as there."""

    def __init__(self, size: int, num_heads: int, feed_forward_size: int, kernel_size: int, normalization: str,
                 dropout: float, causal: bool = False, left_context: int = 0, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.feed_forward_1 = FeedForward(size, feed_forward_size, name="feed_forward_1")
        self.attention = RelativeAttention(size, num_heads, left_context, name="attention")
        self.convolution = ConvolutionModule(size, kernel_size, normalization, causal, name="convolution")
        self.feed_forward_2 = FeedForward(size, feed_forward_size, name="feed_forward_2")
        names = ("norm_feed_forward_1", "norm_attention", "norm_convolution", "norm_feed_forward_2", "norm_output")
        self.norms = [keras.layers.LayerNormalization(epsilon=epsilon, name=name) for name in names]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        for layer in (self.feed_forward_1, self.attention, self.convolution, self.feed_forward_2, *self.norms):
            layer.build((None, None, self.size))

    def call(self, inputs, positions, valid=None, reach=None, training=False, state=None):
        """Inputs (batch, frames, size) -> (batch, frames, size); the others are as in `RelativeAttention`."""
        hidden, convolved = self.across_frames(inputs, positions, valid, reach, training, state)
        return self.within_frames(hidden, convolved, valid, training)

    def across_frames(self, inputs, positions, valid=None, reach=None, training=False, state=None):
        """The first half, across frames: what the convolution module adds to, and its depthwise output."""
        norm = iter(self.norms)
        expanded = self.feed_forward_1(next(norm)(inputs))
        hidden = inputs + 0.5 * self.dropout(expanded, training=training)
        attended = self.attention(next(norm)(hidden), positions, valid, reach, state=part_of(state, "attention"))
        hidden = hidden + self.dropout(attended, training=training)
        return hidden, self.convolution.across_frames(next(norm)(hidden), valid, part_of(state, "convolution"))

    def within_frames(self, hidden, convolved, valid=None, training=False):
        """The second half, in which no frame sees another: what leaves the block."""
        norm = iter(self.norms[-2:])
        convolved = self.convolution.within_frames(convolved, valid, training)
        hidden = hidden + self.dropout(convolved, training=training)
        expanded = self.feed_forward_2(next(norm)(hidden))
        hidden = hidden + 0.5 * self.dropout(expanded, training=training)
        return next(norm)(hidden)

    @property
    def adaptable(self) -> list:
        """The normalisations of the second half."""
        behind = [self.convolution.normalization, *self.norms[-2:]]
        return [layer for layer in behind if isinstance(layer, keras.layers.LayerNormalization)]

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape
