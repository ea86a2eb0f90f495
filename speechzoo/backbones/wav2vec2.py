"""wav2vec 2.0 (Baevski et al. 2020, https://arxiv.org/abs/2006.11477), and HuBERT (Hsu et al. 2021), its twin."""

import math

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.grouped_convolution import GroupedConv1D
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import UtteranceNormalization
from speechzoo.layers.quantizable import Conv1D, FrameDense
from speechzoo.layers.transformer import EPSILON, TransformerBlock, normalize_channels


@keras.saving.register_keras_serializable(package="speechzoo")
class Wav2Vec2(Backbone):
    """Strided convolutions over samples, a convolution that tells positions, then transformer blocks.

    Its front end is `waveform`. With the weights of a published model (`speechzoo import`) it computes what
    `transformers.Wav2Vec2Model` and `HubertModel` do, whose two kinds these are:

    - base: `normalization: utterance` and `norm_first: false`. The first convolution's channels are normalised over the
      whole utterance, of which a batch must not hold more than the utterance: the padding stays out of the statistics
      here, where the published models, without a mask, take it in.
    - large: `normalization: layer` and `norm_first: true`.

    The frames that leave a block before the last are normalised over the channels where `norm_first` leaves them sums
    (`normalize_channels`); the last block ends with the encoder's own layer normalisation.

    Args:
        size: Channels.
        num_blocks: Blocks.
        num_heads: Attention heads; must divide `size`.
        feed_forward_size: Channels inside the feed-forward modules; 4 x size when None.
        normalization: Of the convolutions: `utterance` (the first one alone, and none has a bias) or `layer` (each, and
            each has a bias).
        norm_first: The blocks normalise before their modules; otherwise behind the sums.
        convolution_size: Channels of the convolutions.
        kernel_sizes: Widths of the convolutions behind the first one, which is the front end's window.
        strides: Their strides.
        position_kernel_size: Width of the convolution that tells positions, frames.
        position_groups: Its groups of channels; must divide `size`.
        dropout: Dropout rate of what each module adds.

    Call arguments:
        features: (batch, frames, samples of a window).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames (batch, frames out, size) after each block, and their lengths. Frames out are what the
        convolutions make of complete windows only, but one at least: see `output_lengths`.

    Raises:
        ValueError: Sizes that don't divide each other, another normalization, or not a stride for each width.
    """

    def __init__(self, size: int = 768, num_blocks: int = 12, num_heads: int = 12,
                 feed_forward_size: int | None = None, normalization: str = "utterance", norm_first: bool = False,
                 convolution_size: int = 512, kernel_sizes: list[int] = (3, 3, 3, 3, 2, 2),
                 strides: list[int] = (2, 2, 2, 2, 2, 2), position_kernel_size: int = 128, position_groups: int = 16,
                 dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if normalization not in ("utterance", "layer"):
            raise ValueError(f"wav2vec2: normalization '{normalization}' is not utterance or layer")
        if not kernel_sizes or len(kernel_sizes) != len(strides):
            raise ValueError(f"wav2vec2: {len(kernel_sizes)} kernel_sizes and {len(strides)} strides; each convolution "
                             "has both")
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size or 4 * size
        self.normalization = normalization
        self.norm_first = norm_first
        self.convolution_size = convolution_size
        self.kernel_sizes, self.strides = list(kernel_sizes), list(strides)
        self.position_kernel_size = position_kernel_size
        self.position_groups = position_groups
        self.dropout_rate = dropout
        self.subsampling = math.prod(strides)
        # Feature frames that an output frame sees.
        self.receptive_field = 1 + sum((width - 1) * math.prod(strides[:number])
                                       for number, width in enumerate(kernel_sizes))
        bias = normalization == "layer"
        # The first convolution, whose windows the front end has cut.
        self.convolution_1 = FrameDense(convolution_size, use_bias=bias, name="convolution_1")
        self.convolutions = [
            Conv1D(convolution_size, width, strides=stride, use_bias=bias, name=f"convolution_{number}")
            for number, (width, stride) in enumerate(zip(kernel_sizes, strides), 2)]
        self.norm_convolution_1 = (keras.layers.LayerNormalization(epsilon=EPSILON, name="norm_convolution_1") if bias
                                   else UtteranceNormalization(epsilon=EPSILON, name="norm_convolution_1"))
        self.norm_convolutions = [
            keras.layers.LayerNormalization(epsilon=EPSILON, name=f"norm_{convolution.name}") if bias else None
            for convolution in self.convolutions]
        self.norm_features = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm_features")
        self.projection = FrameDense(size, name="projection")
        self.positions = GroupedConv1D(size, position_kernel_size, position_groups, name="positions")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.blocks = [TransformerBlock(size, num_heads, self.feed_forward_size, dropout, norm_first,
                                        name=f"block_{number}") for number in range(1, num_blocks + 1)]
        self.norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm")

    def build_stem(self, features_shape):
        self.convolution_1.build(features_shape)
        for layer in (self.norm_convolution_1, *self.convolutions, *self.norm_convolutions, self.norm_features,
                      self.projection):
            if layer is not None:
                layer.build((None, None, self.convolution_size))
        self.positions.build()
        if not self.norm_first:
            self.norm.build((None, None, self.size))
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        if self.norm_first and number == self.num_blocks:
            self.norm.build(shape)
        return shape

    def stem(self, features, lengths, training):
        hidden = self._convolve(features, lengths)
        lengths = self.output_lengths(lengths)
        valid = sequence_mask(lengths, hidden)
        hidden = self.projection(self.norm_features(hidden))
        hidden = hidden if valid is None else hidden * valid
        # An even kernel sees one frame more of the past than of the future.
        around = self.position_kernel_size // 2, (self.position_kernel_size - 1) // 2
        hidden = hidden + _gelu(self.positions(ops.pad(hidden, ((0, 0), around, (0, 0)))))
        hidden = hidden if self.norm_first else self.norm(hidden)
        return {"hidden": self.dropout(hidden, training=training), "lengths": lengths, "valid": valid}

    def _convolve(self, features, lengths):
        """The convolutions over samples: (batch, frames, window) -> (batch, frames out, convolution_size)."""
        batch, frames = ops.shape(features)[0], ops.shape(features)[1]
        mask = sequence_mask(lengths, features)
        hidden = self.convolution_1(features)
        hidden = (self.norm_convolution_1(hidden) if self.normalization == "layer"
                  else self.norm_convolution_1(hidden, mask))
        hidden = _gelu(hidden)
        hidden = hidden if mask is None else hidden * mask
        # With zeros behind them, audio that is too short for one frame gives one; frames that see nothing else go.
        hidden = ops.pad(hidden, ((0, 0), (0, self.receptive_field - 1), (0, 0)))
        for convolution, norm in zip(self.convolutions, self.norm_convolutions):
            hidden = convolution(hidden)
            hidden = _gelu(hidden if norm is None else norm(hidden))
        return ops.slice(hidden, (0, 0, 0), (batch, self.output_lengths(frames), self.convolution_size))

    def block(self, number, stream, training):
        hidden = self.blocks[number - 1](stream["hidden"], stream["valid"], training=training)
        if self.norm_first and number == self.num_blocks:
            hidden = self.norm(hidden)
        return {**stream, "hidden": hidden}

    def frames(self, number, stream, training):
        frames = stream["hidden"]
        if self.norm_first and number < self.num_blocks:
            frames = normalize_channels(frames)
        frames = ops.cast(frames, self.compute_dtype)
        return frames if stream["valid"] is None else frames * stream["valid"]

    def output_lengths(self, lengths):
        """max(1, (lengths - receptive field) // subsampling + 1): windows that the convolutions see as a whole."""
        if lengths is None:
            return None
        beyond = lengths - self.receptive_field
        # A length that is known stays a plain number: other backends can't cut to one that isn't.
        return (max(beyond, 0) if isinstance(beyond, int) else ops.maximum(beyond, 0)) // self.subsampling + 1

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_blocks": self.num_blocks, "num_heads": self.num_heads,
                "feed_forward_size": self.feed_forward_size, "normalization": self.normalization,
                "norm_first": self.norm_first, "convolution_size": self.convolution_size,
                "kernel_sizes": self.kernel_sizes, "strides": self.strides,
                "position_kernel_size": self.position_kernel_size, "position_groups": self.position_groups,
                "dropout": self.dropout_rate}


def _gelu(inputs):
    """The exact one."""
    return ops.gelu(inputs, approximate=False)
