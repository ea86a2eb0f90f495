"""The Conformer as ESPnet has it (`ConformerEncoder` of espnet2, Apache-2.0; Gulati et al. 2020)."""

import keras
from keras import ops

from speechzoo.backbones.conformer import Conformer
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv2D, FrameDense

_CONTEXT = 6  # feature frames that an output frame sees behind its first


@keras.saving.register_keras_serializable(package="speechzoo")
class ESPnetConformer(Conformer):
    """`Conformer`, with two things of its own: convolutions that pad nothing, and a last layer normalisation.

    An output frame sees the seven feature frames from its first on. So the last output frame is the last that is
    complete, and there are `(frames - 3) // 4` of them; recordings with too few frames for one are completed by zeros.

    Args:
        size: Channels, also those of the convolutions.
        num_blocks: Conformer blocks.
        num_heads: Attention heads.
        feed_forward_size: Channels inside the feed-forward modules.
        kernel_size: Width of the depthwise convolution, frames.
        dropout: Dropout rate of what each module adds.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames (batch, max(1, (frames - 3) // 4), size) after each block, and their lengths.
    """

    norm_epsilon = 1e-12

    def __init__(self, size: int = 256, num_blocks: int = 12, num_heads: int = 4, feed_forward_size: int = 2048,
                 kernel_size: int = 31, dropout: float = 0.1, **kwargs):
        super().__init__(size, num_blocks, num_heads, feed_forward_size, kernel_size, dropout=dropout, **kwargs)
        self.norm = keras.layers.LayerNormalization(epsilon=self.norm_epsilon, name="norm")

    def make_subsampling(self):
        return UnpaddedSubsampling(self.size, name="subsampling")

    def build_block(self, number, shape):
        if number == self.num_blocks:
            self.norm.build(shape)
        return super().build_block(number, shape)

    def block(self, number, stream, training):
        stream = super().block(number, stream, training)
        return {**stream, "hidden": self.norm(stream["hidden"])} if number == self.num_blocks else stream

    def adaptable_part(self, number, *inputs):
        hidden = super().adaptable_part(number, *inputs)
        return self.norm(hidden) if number == self.num_blocks else hidden

    def output_lengths(self, lengths):
        return None if lengths is None else output_lengths(lengths)

    def get_config(self):
        config = super().get_config()
        names = "size", "num_blocks", "num_heads", "feed_forward_size", "kernel_size", "dropout"
        return {**{name: config[name] for name in names}, **keras.layers.Layer.get_config(self)}


@keras.saving.register_keras_serializable(package="speechzoo")
class UnpaddedSubsampling(keras.layers.Layer):
    """Two full 3 x 3 convolutions of stride 2 that see no zeros beyond the features, then a projection.

    Args:
        size: Channels of the convolutions, and out.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.convolutions = [Conv2D(size, 3, strides=2, padding="valid", name=f"conv_{number}") for number in (1, 2)]
        self.projection = FrameDense(size, name="projection")

    def build(self, features_shape, *_):
        bins, channels = features_shape[-1], 1
        for convolution in self.convolutions:
            convolution.build((None, None, None, channels))
            bins, channels = (bins - 1) // 2, self.size
        self.bins = bins
        self.projection.build((None, None, bins * channels))

    def call(self, features, lengths=None, state=None):
        """Features (batch, frames, bins) -> (batch, max(1, (frames - 3) // 4), size), and the new lengths."""
        mask = sequence_mask(lengths, features)
        hidden = features if mask is None else features * mask
        frames = output_lengths(ops.shape(features)[1])
        # With zeros behind the features, so that there is one frame at least.
        hidden = ops.pad(hidden, ((0, 0), (0, _CONTEXT), (0, 0)))[..., None]
        for convolution in self.convolutions:
            hidden = ops.relu(convolution(hidden))
        hidden = hidden[:, :frames]
        batch = ops.shape(hidden)[0]
        lengths = None if lengths is None else output_lengths(lengths)
        hidden = self.projection(ops.reshape(hidden, (batch, -1, self.bins * self.size)))
        mask = sequence_mask(lengths, hidden)
        return (hidden if mask is None else hidden * mask), lengths

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def output_lengths(lengths):
    """Output frames of so many feature frames, one at least; whole numbers, or an int32 tensor of them."""
    frames = (lengths - 3) // 4
    return max(frames, 1) if isinstance(frames, int) else ops.maximum(frames, 1)
