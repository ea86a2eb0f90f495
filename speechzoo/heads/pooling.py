"""Frames -> one vector an utterance."""

import keras
from keras import ops

from speechzoo.dense import FrameDense
from speechzoo.masking import sequence_mask


class AttentiveStatisticsPooling(keras.layers.Layer):
    """Mean and standard deviation over time, weighted by attention.

    Reference: Okabe et al. 2018, https://arxiv.org/abs/1803.10963, equations 2 to 6.

    Args:
        hidden_size: Units of the attention network.

    Call arguments:
        frames: (batch, frames, channels).
        lengths: int32 (batch,), or None.

    Returns:
        (batch, 2 x channels).
    """

    def __init__(self, hidden_size: int = 64, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.hidden = FrameDense(hidden_size, activation="tanh", name="hidden")
        self.score = FrameDense(1, use_bias=False, name="score")

    def build(self, frames_shape, *_):
        self.hidden.build((None, None, frames_shape[-1]))
        self.score.build((None, None, self.hidden_size))

    def call(self, frames, lengths=None):
        scores = self.score(self.hidden(frames))
        mask = sequence_mask(lengths, frames)
        if mask is not None:
            scores = scores + (mask - 1.0) * 1e9
        weights = ops.softmax(scores, axis=1)
        mean = ops.sum(weights * frames, axis=1, keepdims=True)
        variance = ops.sum(weights * ops.square(frames - mean), axis=1)
        return ops.concatenate([mean[:, 0], ops.sqrt(variance + 1e-5)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "hidden_size": self.hidden_size}
