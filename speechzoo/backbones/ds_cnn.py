"""Depthwise-separable CNN for keyword spotting on microcontrollers."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv2D, DepthwiseConv2D
from speechzoo.layers.stream_state import pad_time, part_of


@keras.saving.register_keras_serializable(package="speechzoo")
class DSCNN(Backbone):
    """A strided convolution over time and frequency, then depthwise-separable convolutions, averaged over frequency.

    Reference: Hello Edge (Zhang et al. 2017, https://arxiv.org/abs/1711.07128), section 4.4.

    Args:
        channels: Channels of every convolution.
        num_blocks: Depthwise-separable blocks.
        kernel_frames, kernel_bins: Size of the first convolution.
        stride_frames, stride_bins: Stride of the first convolution; `stride_frames` is the subsampling.
        dropout: Dropout rate of the frames that leave.
        causal: For streams: the convolutions see no later frame.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames (batch, ceil(frames / stride), channels) after each block, and their lengths.
    """

    def __init__(self, channels: int = 64, num_blocks: int = 4, kernel_frames: int = 10, kernel_bins: int = 4,
                 stride_frames: int = 2, stride_bins: int = 2, dropout: float = 0.1,
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.channels = self.output_size = channels
        self.num_blocks = num_blocks
        self.kernel_frames = kernel_frames
        self.kernel_bins = kernel_bins
        self.stride_frames = self.subsampling = stride_frames
        self.stride_bins = stride_bins
        self.dropout_rate = dropout
        self.causal = causal
        if causal and kernel_frames < stride_frames:
            raise ValueError(f"ds_cnn: kernel_frames {kernel_frames} is less than stride_frames {stride_frames}: "
                             "a stream would skip frames")
        self.first = Conv2D(channels, (kernel_frames, kernel_bins), strides=(stride_frames, stride_bins),
                            padding="valid", use_bias=False, name="conv_1")
        self.first_norm = batch_norm("norm_1")
        padding = "valid" if causal else "same"
        self.blocks = [(DepthwiseConv2D(3, padding=padding, use_bias=False, name=f"block_{i}_depthwise"),
                        batch_norm(f"block_{i}_norm_depthwise"),
                        Conv2D(channels, 1, use_bias=False, name=f"block_{i}_pointwise"),
                        batch_norm(f"block_{i}_norm_pointwise")) for i in range(1, num_blocks + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build_stem(self, features_shape):
        self.first.build((None, None, None, 1))
        self.first_norm.build((None, None, None, self.channels))
        return None, None, None, self.channels

    def build_block(self, number, shape):
        for layer in self.blocks[number - 1]:
            layer.build((None, None, None, self.channels))
        return shape

    def stem(self, features, lengths, training, state=None):
        mask = sequence_mask(lengths, features)
        hidden = (features if mask is None else features * mask)[..., None]
        # Symmetric padding that does not depend on the number of frames, so that padding never changes a row.
        time = self.kernel_frames - self.stride_frames
        bins = self.kernel_bins - self.stride_bins
        last = self.stride_frames - 1
        before = time if self.causal else time // 2
        hidden = pad_time(hidden, before, time - before + last, (bins // 2, bins - bins // 2), state)
        lengths = None if lengths is None else (lengths + last) // self.stride_frames
        hidden = self.first(hidden)
        mask = sequence_mask(lengths, hidden)
        mask = None if mask is None else mask[..., None]
        hidden = self._activate(hidden, self.first_norm, mask, training)
        return {"hidden": hidden, "lengths": lengths, "valid": mask}

    def block(self, number, stream, training):
        depthwise, norm_depthwise, pointwise, norm_pointwise = self.blocks[number - 1]
        hidden = stream["hidden"]
        if self.causal:
            hidden = pad_time(hidden, 2, 0, (1, 1), part_of(stream.get("state"), f"block_{number}"))
        hidden = self._activate(depthwise(hidden), norm_depthwise, stream["valid"], training)
        return {**stream, "hidden": self._activate(pointwise(hidden), norm_pointwise, stream["valid"], training)}

    def frames(self, number, stream, training):
        return self.dropout(ops.mean(stream["hidden"], axis=2), training=training)

    def _activate(self, hidden, norm, mask, training):
        hidden = ops.relu(norm(hidden, mask, training=training))
        return hidden if mask is None else hidden * mask

    def get_config(self):
        names = ("channels", "num_blocks", "kernel_frames", "kernel_bins", "stride_frames", "stride_bins",
                 "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
