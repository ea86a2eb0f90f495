"""The convolution module of the Conformer."""

import keras
from keras import ops

from speechzoo.layers.initializers import depthwise, residual_branch
from speechzoo.layers.normalization import FrameBatchNormalization
from speechzoo.layers.quantizable import DepthwiseConv1D, FrameDense
from speechzoo.layers.stream_state import pad_time


@keras.saving.register_keras_serializable(package="speechzoo")
class ConvolutionModule(keras.layers.Layer):
    """Gated pointwise convolution, depthwise convolution along time, normalisation, swish, pointwise convolution.

    Reference: Conformer (Gulati et al. 2020, https://arxiv.org/abs/2005.08100), section 2.2.

    Args:
        size: Channels in and out.
        kernel_size: Odd width of the depthwise convolution, frames.
        normalization: `batch` (as in the paper) or `layer`. Batches of one length and kind each, as buckets of several
            corpora are, have statistics of their own that a deployed model never sees: there `layer` is the choice.
        causal: The depthwise convolution sees no later frame; its width may be even.

    Call arguments:
        inputs: (batch, frames, size).
        valid: (batch, frames, 1) of ones and zeros, or None. Padding is zeroed before the convolution looks at it and
            left out of the batch statistics.
        state: `StreamState` of a step in a stream, or None; causal modules only.
    """

    def __init__(self, size: int, kernel_size: int = 9, normalization: str = "batch", causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0 and not causal:
            raise ValueError(f"convolution module: kernel_size {kernel_size} is not odd")
        if normalization not in ("batch", "layer"):
            raise ValueError(f"convolution module: normalization '{normalization}' is not batch or layer")
        self.size = size
        self.kernel_size = kernel_size
        self.normalization_kind = normalization
        self.causal = causal
        self.expand = FrameDense(2 * size, name="expand")
        self.depthwise = DepthwiseConv1D(kernel_size, padding="valid" if causal else "same",
                                         depthwise_initializer=depthwise(kernel_size), name="depthwise")
        kinds = {"batch": FrameBatchNormalization, "layer": keras.layers.LayerNormalization}
        self.normalization = kinds[normalization](epsilon=1e-5, name="normalization")
        self.project = FrameDense(size, kernel_initializer=residual_branch(), name="project")

    def build(self, inputs_shape, *_):
        self.expand.build((None, None, self.size))
        self.depthwise.build((None, None, self.size))
        self.normalization.build((None, None, self.size))
        self.project.build((None, None, self.size))

    def call(self, inputs, valid=None, training=False, state=None):
        """Inputs (batch, frames, size) -> (batch, frames, size)."""
        return self.within_frames(self.across_frames(inputs, valid, state), valid, training)

    def across_frames(self, inputs, valid=None, state=None):
        """The first half, with the depthwise convolution: (batch, frames, size)."""
        hidden = self.expand(inputs)
        # The gradient of a split is one concatenation; that of two slices pads both and adds them.
        values, gates = ops.split(hidden, 2, axis=-1)
        hidden = values * ops.sigmoid(gates)
        if valid is not None:
            hidden = hidden * valid
        if self.causal:
            hidden = pad_time(hidden, self.kernel_size - 1, state=state)
        return self.depthwise(hidden)

    def within_frames(self, hidden, valid=None, training=False):
        """The second half, in which no frame sees another: (batch, frames, size)."""
        if self.normalization_kind == "layer":
            hidden = self.normalization(hidden)
        else:
            hidden = self.normalization(hidden, valid, training=training)
        return self.project(ops.silu(hidden))

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "kernel_size": self.kernel_size,
                "normalization": self.normalization_kind, "causal": self.causal}
