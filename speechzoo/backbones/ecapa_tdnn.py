"""ECAPA-TDNN: what speaker verification is built on."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv1D, Dense


@keras.saving.register_keras_serializable(package="speechzoo")
class ECAPATDNN(Backbone):
    """Squeeze-excited Res2Net blocks along time, and an aggregation of what all of them give.

    The pooling and the embedding of the paper are those of the speaker head with `pooling: channel_attentive`.

    Exports to TFLite as float32,
    dynamic-range int8 and full int8.

    Reference: Desplanques et al. 2020, https://arxiv.org/abs/2005.07143, figure 2 and sections 3.2 and 3.3.

    Args:
        size: Channels: 512 or 1024 in the paper.
        num_blocks: SE-Res2Blocks, with dilations 2, 3, 4, ...
        scale: Groups of channels in a Res2Net convolution; must divide `size`.
        squeeze_size: Channels of the bottleneck of squeeze and excitation.
        aggregation_size: Channels of the aggregated frames.
        stride_frames: Feature frames for one output frame; 1 in the paper.
        dropout: Dropout rate of the frames that leave.
        mirrored: Convolutions see the frames mirrored at both ends of the utterance, as SpeechBrain's do, in place of
            zeros; with a stride of 1 only.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames after each block, and their lengths: (batch, ceil(frames / stride), size), and for the
        last block the aggregation of all (batch, ceil(frames / stride), aggregation_size).
    """

    def __init__(self, size: int = 512, num_blocks: int = 3, scale: int = 8, squeeze_size: int = 128,
                 aggregation_size: int = 1536, stride_frames: int = 1, dropout: float = 0.0,
                 mirrored: bool = False, **kwargs):
        super().__init__(**kwargs)
        if mirrored and stride_frames > 1:
            raise ValueError(f"ecapa_tdnn: mirrored needs a stride_frames of 1, not {stride_frames}")
        self.size = size
        self.num_blocks = num_blocks
        self.scale = scale
        self.squeeze_size = squeeze_size
        self.aggregation_size = self.output_size = aggregation_size
        self.stride_frames = self.subsampling = stride_frames
        self.dropout_rate = dropout
        self.mirrored = mirrored
        self.first = TimeDelayLayer(size, 5, stride=stride_frames, mirrored=mirrored, name="layer_1")
        self.blocks = [SERes2Block(size, scale, squeeze_size, dilation=i + 1, mirrored=mirrored, name=f"block_{i}")
                       for i in range(1, num_blocks + 1)]
        self.aggregation = TimeDelayLayer(aggregation_size, 1, name="aggregation")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    @classmethod
    def first_blocks(cls, options, blocks):
        raise ValueError("ecapa_tdnn: its last frames are made of those of all blocks together, so that it "
                         "has all its blocks or none; leave blocks out, and let heads read an earlier block")

    def build_stem(self, features_shape):
        self.first.build(features_shape)
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        if number < self.num_blocks:
            return shape
        self.aggregation.build((None, None, self.num_blocks * self.size))
        return None, None, self.aggregation_size

    def stem(self, features, lengths, training):
        valid = sequence_mask(lengths, features)
        hidden = features if valid is None else features * valid
        if lengths is not None:
            lengths = (lengths + self.stride_frames - 1) // self.stride_frames
            valid = valid[:, ::self.stride_frames]
        hidden = self.first(hidden, valid, training=training)
        return {"hidden": hidden, "lengths": lengths, "valid": valid, "aggregated": []}

    def block(self, number, stream, training):
        hidden, valid, aggregated = stream["hidden"], stream["valid"], stream["aggregated"]
        if number > 1:
            aggregated = [*aggregated, hidden]
        hidden = self.blocks[number - 1](hidden, valid, training=training)
        if number == self.num_blocks:
            hidden = self.aggregation(ops.concatenate([*aggregated, hidden], axis=-1), valid, training=training)
        return {**stream, "hidden": hidden, "aggregated": aggregated}

    def frames(self, number, stream, training):
        return self.dropout(stream["hidden"], training=training)

    def get_config(self):
        names = ("size", "num_blocks", "scale", "squeeze_size", "aggregation_size", "stride_frames", "mirrored")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="speechzoo")
class TimeDelayLayer(keras.layers.Layer):
    """Convolution along time, ReLU, batch normalisation; what comes out is zero in the padding.

    Args:
        size: Channels out.
        kernel_size: Odd width, frames.
        dilation, stride: Of the convolution, frames.
        mirrored: Mirrors the frames at both ends instead of completing them with zeros.

    Call arguments:
        inputs: (batch, frames, channels), zero in the padding.
        valid: (batch, frames out, 1) of ones and zeros, or None.
    """

    def __init__(self, size: int, kernel_size: int, dilation: int = 1, stride: int = 1, mirrored: bool = False,
                 **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.mirrored = mirrored
        self.around = dilation * (kernel_size // 2)
        self.convolution = Conv1D(size, kernel_size, strides=stride, dilation_rate=dilation, name="convolution")
        self.norm = batch_norm("norm")

    def build(self, inputs_shape, *_):
        self.convolution.build((None, None, inputs_shape[-1]))
        self.norm.build((None, None, self.size))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, channels) -> (batch, frames out, size), zero in the padding."""
        if self.around and self.mirrored:
            inputs = _mirror_ends(inputs, valid, self.around)
        elif self.around:
            inputs = ops.pad(inputs, ((0, 0), (self.around, self.around), (0, 0)))
        hidden = self.norm(ops.relu(self.convolution(inputs)), valid, training=training)
        return hidden if valid is None else hidden * valid


@keras.saving.register_keras_serializable(package="speechzoo")
class SERes2Block(keras.layers.Layer):
    """Figure 2 of the paper: pointwise, Res2Net convolution, pointwise, squeeze and excitation, and the input added."""

    def __init__(self, size: int, scale: int, squeeze_size: int, dilation: int, mirrored: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.layer_1 = TimeDelayLayer(size, 1, name="layer_1")
        self.res2net = Res2NetConvolution(size, scale, dilation, mirrored, name="res2net")
        self.layer_2 = TimeDelayLayer(size, 1, name="layer_2")
        self.squeeze = Dense(squeeze_size, activation="relu", name="squeeze")
        self.excite = Dense(size, activation="sigmoid", name="excite")

    def build(self, *_):
        for layer in (self.layer_1, self.res2net, self.layer_2):
            layer.build((None, None, self.size))
        self.squeeze.build((None, self.size))
        self.excite.build((None, self.squeeze.units))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, channels), zero in the padding -> the same shape."""
        hidden = self.layer_1(inputs, valid, training=training)
        hidden = self.res2net(hidden, valid, training=training)
        hidden = self.layer_2(hidden, valid, training=training)
        if valid is None:
            mean = ops.mean(hidden, axis=1)
        else:  # padding is zero: the sum needs no mask, the count does
            mean = ops.sum(hidden, axis=1) / ops.maximum(ops.sum(valid, axis=1), 1.0)
        return inputs + hidden * self.excite(self.squeeze(mean))[:, None]

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape


@keras.saving.register_keras_serializable(package="speechzoo")
class Res2NetConvolution(keras.layers.Layer):
    """A convolution in groups, each of which sees what the one before it gives.

    Reference: Gao et al. 2019, https://arxiv.org/abs/1904.01169, equation 1: the first group passes as it is.

    Args:
        size: Channels in and out.
        scale: Groups.
        dilation: Of the convolutions of three frames.
        mirrored: See `TimeDelayLayer`.
    """

    def __init__(self, size: int, scale: int, dilation: int, mirrored: bool = False, **kwargs):
        super().__init__(**kwargs)
        if scale < 2 or size % scale:
            raise ValueError(f"ecapa_tdnn: scale {scale} is below two or does not divide {size} channels")
        self.width = size // scale
        self.groups = [TimeDelayLayer(self.width, 3, dilation, mirrored=mirrored, name=f"group_{i}")
                       for i in range(2, scale + 1)]

    def build(self, *_):
        for group in self.groups:
            group.build((None, None, self.width))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, size), zero in the padding -> (batch, frames, size)."""
        first, *others = ops.split(inputs, len(self.groups) + 1, axis=-1)
        outputs = [first]
        for number, (group, part) in enumerate(zip(self.groups, others)):
            outputs.append(group(part + outputs[-1] if number else part, valid, training=training))
        return ops.concatenate(outputs, axis=-1)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape


def _mirror_ends(inputs, valid, around):
    """Frames between `around` of their own reflection before the first and behind the last valid one.

    An utterance that is too short to be mirrored so far repeats its outermost frames.
    """
    num_frames = ops.shape(inputs)[1]
    places = ops.abs(ops.arange(num_frames + 2 * around, dtype="int32") - around)
    if valid is None:
        last = num_frames - 1
        return ops.take(inputs, ops.clip(ops.minimum(places, 2 * last - places), 0, last), axis=1)
    last = ops.cast(ops.sum(valid, axis=1), "int32") - 1
    # Behind the reflection there is nothing but padding, whose place any frame may take.
    places = ops.clip(ops.minimum(places[None], 2 * last - places[None]), 0, ops.maximum(last, 0))
    return ops.take_along_axis(inputs, places[..., None], axis=1)
