"""A few convolutions between the backbone's frames and what a head makes of them."""

import keras

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv1D


@keras.saving.register_keras_serializable(package="speechzoo")
class ConvolutionStack(keras.layers.Layer):
    """Layer normalisation, then convolutions over time with ReLU; the second and later ones are residual.

    What a head needs on top of a backbone that was trained for something else and stays as it is, or nearly so. It sees
    (kernel_size // 2) x num_convolutions frames ahead, so it isn't for streams.

    Args:
        size: Channels out.
        num_convolutions: Convolutions, 1 or more.
        kernel_size: Frames that one of them sees; odd.
        dropout: Dropout rate behind each.

    Call arguments:
        frames: (batch, frames, channels).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        (batch, frames, size).
    """

    def __init__(self, size: int, num_convolutions: int = 2, kernel_size: int = 5, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"convolutions: kernel_size {kernel_size} is not odd")
        self.size = size
        self.num_convolutions = num_convolutions
        self.kernel_size = kernel_size
        options = {"dtype": self.dtype_policy}
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm", **options)
        self.convolutions = [Conv1D(size, kernel_size, padding="same", activation="relu", name=f"convolution_{number}",
                                    **options)
                             for number in range(1, num_convolutions + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **options)

    def build(self, frames_shape, *_):
        self.norm.build(frames_shape)
        channels = frames_shape[-1]
        for convolution in self.convolutions:
            convolution.build((None, None, channels))
            channels = self.size

    def call(self, frames, lengths=None, training=False):
        """Frames (batch, frames, channels) -> (batch, frames, size)."""
        mask = sequence_mask(lengths, frames)
        hidden = self.norm(frames)
        for number, convolution in enumerate(self.convolutions):
            convolved = self.dropout(convolution(hidden if mask is None else hidden * mask), training=training)
            hidden = hidden + convolved if number else convolved
        return hidden

    def compute_output_shape(self, frames_shape, *_):
        return *frames_shape[:-1], self.size
