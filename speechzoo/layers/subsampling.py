"""Convolutional subsampling in time and frequency."""

import keras
from keras import ops

from speechzoo.layers.initializers import depthwise
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv2D, DepthwiseConv2D, FrameDense
from speechzoo.layers.stream_state import pad_time


@keras.saving.register_keras_serializable(package="speechzoo")
class ConvSubsampling(keras.layers.Layer):
    """Strided 3 x 3 convolutions, the first one full, then a projection.

    Reference: Fast Conformer (Rekesh et al. 2023, https://arxiv.org/abs/2305.05084), section 3.1.

    Args:
        size: Channels out.
        factor: Frames in for one frame out: 2, 4 or 8.
        channels: Channels of the convolutions.
        separable: Whether the convolutions after the first are depthwise separable, or full ones as in the first
            Conformers (Gulati et al. 2020, https://arxiv.org/abs/2005.08100).

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None.
        state: `StreamState` of a step in a stream, or None. No output frame looks ahead of the `factor` frames that it
            stands for, so the layer is causal as it is.

    Returns:
        (batch, ceil(frames / factor), size) and the new lengths.
    """

    def __init__(self, size: int, factor: int = 4, channels: int = 64, separable: bool = True, **kwargs):
        super().__init__(**kwargs)
        if factor not in (2, 4, 8):
            raise ValueError(f"subsampling {factor} is not 2, 4 or 8")
        self.size = size
        self.factor = factor
        self.channels = channels
        self.separable = separable
        options = {"padding": "valid"}
        self.stages = [(Conv2D(channels, 3, strides=2, name="conv_1", **options), None)]
        for number in range(2, factor.bit_length()):
            if not separable:
                self.stages.append((Conv2D(channels, 3, strides=2, name=f"conv_{number}", **options), None))
                continue
            self.stages.append((DepthwiseConv2D(3, strides=2, depthwise_initializer=depthwise(9),
                                                name=f"depthwise_{number}", **options),
                                Conv2D(channels, 1, name=f"pointwise_{number}")))
        self.projection = FrameDense(size, name="projection")

    def build(self, features_shape, *_):
        bins = features_shape[-1]
        channels = 1
        for convolution, pointwise in self.stages:
            convolution.build((None, None, None, channels))
            channels = self.channels
            bins = (bins + 1) // 2
            if pointwise is not None:
                pointwise.build((None, None, None, channels))
        self.bins = bins
        self.projection.build((None, None, bins * channels))

    def call(self, features, lengths=None, state=None):
        """Features (batch, frames, bins) -> (batch, ceil(frames / factor), size), and the new lengths."""
        hidden = features[..., None]
        mask = sequence_mask(lengths, features)
        if mask is not None:
            hidden = hidden * mask[..., None]
        for number, (convolution, pointwise) in enumerate(self.stages, 1):
            hidden = convolution(pad_time(hidden, 1, 1, (1, 1), state, f"past_{number}"))
            if pointwise is not None:
                hidden = pointwise(hidden)
            hidden = ops.relu(hidden)
            if lengths is not None:
                lengths = (lengths + 1) // 2
                hidden = hidden * sequence_mask(lengths, hidden)[..., None]
        batch, frames = ops.shape(hidden)[0], ops.shape(hidden)[1]
        return self.projection(ops.reshape(hidden, (batch, frames, self.bins * self.channels))), lengths

    def get_config(self):
        return {**super().get_config(), "size": self.size, "factor": self.factor, "channels": self.channels,
                "separable": self.separable}
