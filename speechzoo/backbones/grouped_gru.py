"""A small network for every frame: a convolution over bands, then grouped GRU layers."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv2D, FrameDense
from speechzoo.layers.recurrence import GroupedGRU
from speechzoo.layers.stream_state import pad_time, part_of

KERNEL_FRAMES, KERNEL_BINS, STRIDE_BINS = 3, 5, 4


@keras.saving.register_keras_serializable(package="speechzoo")
class GroupedGRUNetwork(Backbone):
    """A convolution over three frames and five bins, a dense layer, and GRU layers in groups with a way around each.

    Each GRU reads and writes in groups of channels, which takes as many times fewer weights as there are groups; the
    dense layer behind it joins the groups again.

    Exports to TFLite as float32 and dynamic-range int8, not full int8: TensorFlow's converter can't calibrate the loop
    over time.

    Reference: the grouped recurrence of Gao et al. 2018 (https://aclanthology.org/D18-1430), which GCRN (Tan and Wang
    2020, https://doi.org/10.1109/TASLP.2019.2955276) and GTCRN (Rong et al. 2024) brought to enhancement.

    Args:
        size: Channels.
        num_blocks: GRU layers.
        groups: Groups of channels that a GRU layer keeps apart; they divide `size`.
        channels: Channels of the convolution.
        dropout: Dropout rate behind each GRU layer.
        causal: For streams: the three frames of the convolution end with its own; otherwise one is the next.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames (batch, frames, size) after each block, and their lengths.

    Raises:
        ValueError: Groups that don't divide the size.
    """

    subsampling = 1

    def __init__(self, size: int = 80, num_blocks: int = 2, groups: int = 4, channels: int = 8, dropout: float = 0.0,
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.groups = groups
        self.channels = channels
        self.dropout_rate = dropout
        self.causal = causal
        self.convolution = Conv2D(channels, (KERNEL_FRAMES, KERNEL_BINS), strides=(1, STRIDE_BINS), name="convolution")
        self.dense = FrameDense(size, name="dense")
        self.recurrences = [GroupedGRU(size, groups, name=f"block_{i}_gru") for i in range(1, num_blocks + 1)]
        self.joins = [FrameDense(size, name=f"block_{i}_dense") for i in range(1, num_blocks + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build_stem(self, features_shape):
        bins = features_shape[-1]
        padded = bins + KERNEL_BINS - 1
        self.convolution.build((None, None, padded, 1))
        self.dense.build((None, None, ((padded - KERNEL_BINS) // STRIDE_BINS + 1) * self.channels))
        return None, None, self.size

    def build_block(self, number, shape):
        self.recurrences[number - 1].build(shape)
        self.joins[number - 1].build(shape)
        return shape

    def stem(self, features, lengths, training, state=None):
        valid = sequence_mask(lengths, features)
        hidden = features if valid is None else features * valid
        hidden = ops.expand_dims(hidden, -1)
        half, after = KERNEL_BINS // 2, 0 if self.causal else KERNEL_FRAMES // 2
        hidden = self.convolution(pad_time(hidden, KERNEL_FRAMES - 1 - after, after, (half, half), state))
        batch, frames, bins, channels = ops.shape(hidden)
        hidden = ops.reshape(ops.relu(hidden), (batch, -1 if isinstance(batch, int) else frames, bins * channels))
        return {"hidden": ops.relu(self.dense(hidden)), "lengths": lengths, "valid": valid}

    def block(self, number, stream, training):
        valid, state = stream["valid"], part_of(stream.get("state"), f"block_{number}")
        hidden = self.recurrences[number - 1](stream["hidden"], valid, state=state)
        hidden = stream["hidden"] + self.joins[number - 1](self.dropout(hidden, training=training))
        return {**stream, "hidden": hidden if valid is None else hidden * valid}

    def frames(self, number, stream, training):
        return stream["hidden"]

    def get_config(self):
        names = ("size", "num_blocks", "groups", "channels", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
