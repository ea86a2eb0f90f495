"""BC-ResNet: broadcasted residual learning for keyword spotting."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.initializers import depthwise
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import SubSpectralNorm, batch_norm
from speechzoo.layers.quantizable import Conv1D, Conv2D, DepthwiseConv1D, DepthwiseConv2D
from speechzoo.layers.stream_state import pad_time, part_of


@keras.saving.register_keras_serializable(package="speechzoo")
class BCResNet(Backbone):
    """Convolutions over frequency, and over time on the average of all bins, whose result is added back to every bin.

    `width` 8 with 40 bins is BC-ResNet-1 of the paper, 16 is BC-ResNet-2, 64 is BC-ResNet-8. The frames that leave are
    those the paper averages and classifies. Exports to TFLite as float32, dynamic-range int8 and full int8.

    Reference: Kim et al. 2021, https://arxiv.org/abs/2106.04140, table 1 and section 2.

    Args:
        width: Channels of the first stage; the others have 1.5, 2 and 2.5 times as many, the last frames 4 times.
        stage_blocks: Residual blocks of each of the four stages.
        bands: Bands of the sub-spectral normalisation; they must divide an eighth of the bins (rounded up).
        dropout: Dropout rate of whole channels inside the blocks.
        causal: For streams: the convolutions over time see no later frame.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames after each stage, and their lengths, which stay as they are: (batch, frames, channels)
        averaged over frequency, and after the last stage (batch, frames, 4 x width).
    """

    def __init__(self, width: int = 8, stage_blocks: list[int] = (2, 2, 4, 4), bands: int = 5, dropout: float = 0.1,
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        if len(stage_blocks) != 4 or min(stage_blocks) < 1:
            raise ValueError(f"bc_resnet: stage_blocks must be four numbers of blocks, got {list(stage_blocks)}")
        self.width = width
        self.stage_blocks = list(stage_blocks)
        self.bands = bands
        self.dropout_rate = dropout
        self.causal = causal
        self.num_blocks, self.subsampling, self.output_size = 4, 1, 4 * width
        self.around = (4, 0) if causal else (2, 2)  # frames before and after one that a convolution of 5 sees
        self.first = Conv2D(2 * width, 5, strides=(1, 2), use_bias=False, name="conv_1")
        self.first_norm = batch_norm("norm_1")
        self.stages = []
        for stage, (blocks, times) in enumerate(zip(self.stage_blocks, (1, 1.5, 2, 2.5))):
            self.stages.append([
                BroadcastedBlock(int(times * width), bands, dilation=2 ** stage, transition=number == 1,
                                 stride=2 if number == 1 and stage in (1, 2) else 1, dropout=dropout, causal=causal,
                                 name=f"block_{stage + 1}_{number}") for number in range(1, blocks + 1)])
        self.last_norm = batch_norm("norm_last")
        self.pointwise = Conv2D(4 * width, 1, use_bias=False, name="pointwise_last")

    @classmethod
    def first_blocks(cls, options, blocks):
        raise ValueError("bc_resnet: its four stages are one network down to the last average over frequency, so that "
                         "it has all its blocks or none; leave blocks out, and let heads read an earlier block")

    def build_stem(self, features_shape):
        bins, channels = (features_shape[-1] + 1) // 2, 2 * self.width
        self.first.build((None, None, None, 1))
        self.first_norm.build((None, None, None, channels))
        return None, None, bins, channels

    def build_block(self, number, shape):
        for block in self.stages[number - 1]:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        if number < self.num_blocks:
            return shape
        # All bins that are left become one.
        *_, bins, channels = shape
        self.depthwise = DepthwiseConv2D((5, bins), use_bias=False, name="depthwise_last",
                                         depthwise_initializer=depthwise(5 * bins))
        self.depthwise.build((None, None, bins, channels))
        self.pointwise.build((None, None, 1, channels))
        self.last_norm.build((None, None, 1, self.output_size))
        return None, None, 1, self.output_size

    def stem(self, features, lengths, training, state=None):
        valid = sequence_mask(lengths, features)
        hidden = (features if valid is None else features * valid)[..., None]
        valid = None if valid is None else valid[..., None]
        hidden = self.first(pad_time(hidden, *self.around, (2, 2), state, "past_first"))
        hidden = ops.relu(self.first_norm(hidden, valid, training=training))
        return {"hidden": hidden, "lengths": lengths, "valid": valid}

    def block(self, number, stream, training):
        hidden, valid, state = stream["hidden"], stream["valid"], stream.get("state")
        for block in self.stages[number - 1]:
            hidden = block(hidden, valid, training=training, state=part_of(state, block.name))
        if number == self.num_blocks:
            hidden = hidden if valid is None else hidden * valid
            hidden = self.pointwise(self.depthwise(pad_time(hidden, *self.around, state=state, name="past_last")))
            hidden = ops.relu(self.last_norm(hidden, valid, training=training))
        return {**stream, "hidden": hidden}

    def frames(self, number, stream, training):
        hidden, valid = stream["hidden"], stream["valid"]
        hidden = hidden if number == self.num_blocks else ops.mean(hidden, axis=2, keepdims=True)
        return (hidden if valid is None else hidden * valid)[:, :, 0]

    def get_config(self):
        return {**super().get_config(), "width": self.width, "stage_blocks": self.stage_blocks, "bands": self.bands,
                "dropout": self.dropout_rate, "causal": self.causal}


@keras.saving.register_keras_serializable(package="speechzoo")
class BroadcastedBlock(keras.layers.Layer):
    """Section 2.3 of the paper: y = x + f2(x) + broadcast(f1(average of f2(x) over frequency)).

    Args:
        channels: Channels out.
        bands: Bands of the sub-spectral normalisation.
        dilation: Of the convolution over time, frames.
        transition: Changes the number of channels first, and has no identity branch.
        stride: Bins in for one bin out.
        dropout: Dropout rate of whole channels.
        causal: The convolution over time sees no later frame.
    """

    def __init__(self, channels: int, bands: int, dilation: int, transition: bool, stride: int, dropout: float,
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.dilation = dilation
        self.around = (2 * dilation, 0) if causal else (dilation, dilation)
        self.transition = transition
        self.stride = stride
        if transition:
            self.expand = Conv2D(channels, 1, use_bias=False, name="expand")
            self.expand_norm = batch_norm("expand_norm")
        self.frequency = DepthwiseConv2D((1, 3), padding="same", use_bias=False, name="frequency",
                                         depthwise_initializer=depthwise(3))
        self.frequency_norm = SubSpectralNorm(bands, name="frequency_norm")
        self.time = DepthwiseConv1D(3, dilation_rate=dilation, use_bias=False, name="time",
                                    depthwise_initializer=depthwise(3))
        self.time_norm = batch_norm("time_norm")
        self.pointwise = Conv1D(channels, 1, use_bias=False, name="pointwise")
        self.dropout = keras.layers.SpatialDropout1D(dropout, name="dropout")

    def build(self, inputs_shape, *_):
        *_, bins, channels = inputs_shape
        if self.transition:
            self.expand.build((None, None, bins, channels))
            self.expand_norm.build((None, None, bins, self.channels))
        self.frequency.build((None, None, bins, self.channels))
        self.frequency_norm.build((None, None, -(-bins // self.stride), self.channels))
        for layer in (self.time, self.time_norm, self.pointwise):
            layer.build((None, None, self.channels))

    def call(self, inputs, valid=None, training=False, state=None):
        """Inputs (batch, frames, bins, channels) -> (batch, frames, ceil(bins / stride), channels out)."""
        hidden = inputs
        if self.transition:
            hidden = ops.relu(self.expand_norm(self.expand(hidden), valid, training=training))
        hidden = self.frequency(hidden)
        if self.stride > 1:  # depthwise convolutions have no strides that differ between their two axes
            hidden = hidden[:, :, ::self.stride]
        hidden = self.frequency_norm(hidden, valid, training=training)
        average = ops.mean(hidden, axis=2)
        if valid is not None:
            average = average * valid[..., 0]
        average = self.time(pad_time(average, *self.around, state=state))
        average = self.time_norm(average, None if valid is None else valid[..., 0], training=training)
        average = self.dropout(self.pointwise(ops.silu(average)), training=training)
        hidden = hidden + average[:, :, None]
        return ops.relu(hidden if self.transition else hidden + inputs)

    def compute_output_shape(self, inputs_shape, *_):
        batch, frames, bins, _ = inputs_shape
        return batch, frames, -(-bins // self.stride), self.channels
