"""VGG-like convolutional network."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv2D


@keras.saving.register_keras_serializable(package="speechzoo")
class CNN(Backbone):
    """Blocks of two 3 x 3 convolutions over time and frequency and a max-pooling, averaged over frequency.

    Exports to TFLite as float32, dynamic-range int8 and full int8.

    Reference: Sercu et al. 2016, https://arxiv.org/abs/1509.08967, figure 1: VGG (Simonyan and Zisserman 2014,
    https://arxiv.org/abs/1409.1556) on log-mel features; with batch normalisation.

    Args:
        channels: Channels of the first block; each further block has twice as many.
        num_blocks: Blocks; each halves the number of bins.
        subsampling: Feature frames for one output frame: a power of two; the first blocks halve the frames too.
        dropout: Dropout rate of the frames that leave.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames after each block, and their lengths: (batch, ceil(frames / subsampling), channels of the
        block). Of blocks at a higher rate, every second, fourth, ... frame leaves, so that all have one length.
    """

    def __init__(self, channels: int = 16, num_blocks: int = 4, subsampling: int = 4, dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.halvings = subsampling.bit_length() - 1
        if subsampling != 1 << self.halvings or self.halvings > num_blocks:
            raise ValueError(f"cnn: subsampling {subsampling} is not a power of two up to 2^num_blocks")
        self.channels = channels
        self.num_blocks = num_blocks
        self.subsampling = subsampling
        self.dropout_rate = dropout
        self.sizes = [channels * 2 ** block for block in range(num_blocks)]
        self.output_size = self.sizes[-1]
        self.blocks = [[(Conv2D(size, 3, padding="same", use_bias=False, name=f"block_{i}_conv_{j}"),
                         batch_norm(f"block_{i}_norm_{j}")) for j in (1, 2)]
                       for i, size in enumerate(self.sizes, 1)]
        # A window of two from an even frame on, whatever the number of frames: the odd frame at the end stands alone.
        self.pools = [keras.layers.MaxPooling2D((2 if i <= self.halvings else 1, 2), padding="same",
                                                data_format="channels_last", name=f"pool_{i}")
                      for i in range(1, num_blocks + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    @classmethod
    def first_blocks(cls, options, blocks):
        return {**options, "num_blocks": blocks, "subsampling": min(cls(**options).subsampling, 2 ** blocks)}

    def build_stem(self, features_shape):
        return *features_shape, 1

    def build_block(self, number, shape):
        channels, size = shape[-1], self.sizes[number - 1]
        for convolution, norm in self.blocks[number - 1]:
            convolution.build((None, None, None, channels))
            norm.build((None, None, None, size))
            channels = size
        return None, None, None, size

    def stem(self, features, lengths, training):
        valid = _mask(lengths, features)
        hidden = features[..., None] if valid is None else features[..., None] * valid
        return {"hidden": hidden, "lengths": lengths, "valid": valid}

    def block(self, number, stream, training):
        hidden, lengths, valid = stream["hidden"], stream["lengths"], stream["valid"]
        for convolution, norm in self.blocks[number - 1]:
            hidden = ops.relu(norm(convolution(hidden), valid, training=training))
            # Nothing is below zero after ReLU, so zeros in the padding leave every maximum as it is.
            hidden = hidden if valid is None else hidden * valid
        hidden = self.pools[number - 1](hidden)
        if number <= self.halvings:
            lengths = None if lengths is None else (lengths + 1) // 2
            valid = _mask(lengths, hidden)
        return {"hidden": hidden, "lengths": lengths, "valid": valid}

    def frames(self, number, stream, training):
        step = self.subsampling >> min(number, self.halvings)
        hidden = stream["hidden"] if step == 1 else stream["hidden"][:, ::step]
        return self.dropout(ops.mean(hidden, axis=2), training=training)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "num_blocks": self.num_blocks,
                "subsampling": self.subsampling, "dropout": self.dropout_rate}


def _mask(lengths, like):
    mask = sequence_mask(lengths, like)
    return None if mask is None else mask[..., None]
