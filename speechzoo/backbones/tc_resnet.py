"""TC-ResNet: temporal convolutions for keyword spotting on mobile devices."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv1D


@keras.saving.register_keras_serializable(package="speechzoo")
class TCResNet(Backbone):
    """Convolutions along time alone, with the frequency bins as their input channels, in residual blocks.

    Channels 16, 24, 32, 48 with one block a stage are TC-ResNet8 of the paper, two blocks a stage TC-ResNet14; its
    variants "-1.5" have 24, 36, 48, 72 channels. Exports to TFLite as float32, dynamic-range int8 and full int8.

    Reference: Choi et al. 2019, https://arxiv.org/abs/1904.03814, figure 2.

    Args:
        channels: Channels of the first convolution, and of each stage; each stage halves the number of frames.
        stage_blocks: Residual blocks of each stage.
        kernel_size: Odd width of the convolutions in the blocks, frames.
        dropout: Dropout rate of the frames that leave.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the frames after each block, and their lengths: (batch, ceil(frames / 2^stages), channels of its
        stage). Of blocks at a higher rate, every second, fourth, ... frame leaves, so that all have one length.
    """

    def __init__(self, channels: list[int] = (16, 24, 32, 48), stage_blocks: int = 1, kernel_size: int = 9,
                 dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        if len(channels) < 2:
            raise ValueError(f"tc_resnet: channels must be those of the first convolution and of each stage, got "
                             f"{list(channels)}")
        if kernel_size % 2 == 0:
            raise ValueError(f"tc_resnet: kernel_size {kernel_size} is not odd")
        self.channels = list(channels)
        self.stage_blocks = stage_blocks
        self.kernel_size = kernel_size
        self.dropout_rate = dropout
        stages = len(channels) - 1
        self.num_blocks, self.subsampling, self.output_size = stages * stage_blocks, 2 ** stages, self.channels[-1]
        self.first = Conv1D(self.channels[0], 3, use_bias=False, name="conv_1")
        self.blocks = [TemporalBlock(size, kernel_size, stride=1 if number else 2,
                                     name=f"block_{stage * stage_blocks + number + 1}")
                       for stage, size in enumerate(self.channels[1:]) for number in range(stage_blocks)]
        self.first_norm = batch_norm("norm_1")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    @classmethod
    def first_blocks(cls, options, blocks):
        whole = cls(**options)
        if blocks % whole.stage_blocks:
            raise ValueError(f"tc_resnet: blocks {blocks} is no whole number of stages of {whole.stage_blocks} blocks")
        return {**options, "channels": whole.channels[:blocks // whole.stage_blocks + 1]}

    def build_stem(self, features_shape):
        self.first.build((None, None, features_shape[-1]))
        self.first_norm.build((None, None, self.channels[0]))
        return None, None, self.channels[0]

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        return None, None, self.blocks[number - 1].channels

    def stem(self, features, lengths, training):
        valid = sequence_mask(lengths, features)
        hidden = features if valid is None else features * valid
        hidden = self.first(ops.pad(hidden, ((0, 0), (1, 1), (0, 0))))
        hidden = ops.relu(self.first_norm(hidden, valid, training=training))
        hidden = hidden if valid is None else hidden * valid
        return {"hidden": hidden, "lengths": lengths, "valid": valid}

    def block(self, number, stream, training):
        block, lengths, valid = self.blocks[number - 1], stream["lengths"], stream["valid"]
        if lengths is not None and block.stride == 2:
            lengths = (lengths + 1) // 2
            valid = sequence_mask(lengths, stream["hidden"][:, ::2])
        return {"hidden": block(stream["hidden"], valid, training=training), "lengths": lengths, "valid": valid}

    def frames(self, number, stream, training):
        stage = (number - 1) // self.stage_blocks + 1
        step = self.subsampling >> stage
        hidden = stream["hidden"]
        return self.dropout(hidden[:, ::step] if step > 1 else hidden, training=training)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "stage_blocks": self.stage_blocks,
                "kernel_size": self.kernel_size, "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="speechzoo")
class TemporalBlock(keras.layers.Layer):
    """Two convolutions along time beside an identity, or a strided convolution of one frame where the rate changes.

    Call arguments:
        inputs: (batch, frames, channels), zero in the padding.
        valid: (batch, frames out, 1) of ones and zeros, or None.
    """

    def __init__(self, channels: int, kernel_size: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.conv_1 = Conv1D(channels, kernel_size, strides=stride, use_bias=False, name="conv_1")
        self.norm_1 = batch_norm("norm_1")
        self.conv_2 = Conv1D(channels, kernel_size, use_bias=False, name="conv_2")
        self.norm_2 = batch_norm("norm_2")
        if stride > 1:
            self.shortcut = Conv1D(channels, 1, strides=stride, use_bias=False, name="shortcut")
            self.shortcut_norm = batch_norm("shortcut_norm")

    def build(self, inputs_shape, *_):
        self.conv_1.build((None, None, inputs_shape[-1]))
        self.conv_2.build((None, None, self.channels))
        norms = [self.norm_1, self.norm_2]
        if self.stride > 1:
            self.shortcut.build((None, None, inputs_shape[-1]))
            norms.append(self.shortcut_norm)
        for norm in norms:
            norm.build((None, None, self.channels))

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, channels) -> (batch, ceil(frames / stride), channels out), zero in the padding."""
        # Symmetric padding that does not depend on the number of frames, so that padding never changes a row.
        around = ((0, 0), (self.kernel_size // 2, self.kernel_size // 2), (0, 0))
        hidden = self.conv_1(ops.pad(inputs, around))
        hidden = ops.relu(self.norm_1(hidden, valid, training=training))
        hidden = hidden if valid is None else hidden * valid
        hidden = self.norm_2(self.conv_2(ops.pad(hidden, around)), valid, training=training)
        if self.stride > 1:
            inputs = ops.relu(self.shortcut_norm(self.shortcut(inputs), valid, training=training))
        hidden = ops.relu(hidden + inputs)
        return hidden if valid is None else hidden * valid
