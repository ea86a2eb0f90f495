"""Frames -> one vector per utterance."""

import keras
from keras import ops

from speechzoo.layers.masking import excluding, sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Dense, FrameDense


@keras.saving.register_keras_serializable(package="speechzoo")
class AttentiveStatisticsPooling(keras.layers.Layer):
    """Mean and standard deviation over time, weighted by attention.

    Reference: Okabe et al. 2018, https://arxiv.org/abs/1803.10963, equations 2 to 6.

    Args:
        hidden_size: Units of the attention network.
        memory: Time constant in frames: after so many, a frame's weight has fallen to 1 / e, for endless streams; 0
            remembers everything.

    Call arguments:
        frames: (batch, frames, channels).
        lengths: int32 (batch,), or None.
        state: `StreamState` of a step in a stream: the vector is that of all frames since the stream began.

    Returns:
        (batch, 2 x channels).
    """

    def __init__(self, hidden_size: int = 64, memory: float = 0.0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if memory < 0:
            raise ValueError(f"pooling: memory {memory} is not 0 or more frames")
        self.hidden_size = hidden_size
        self.memory = memory
        self.hidden = FrameDense(hidden_size, activation="tanh", dtype=self.dtype_policy, name="hidden")
        self.score = FrameDense(1, use_bias=False, dtype=self.dtype_policy, name="score")

    def build(self, frames_shape, *_):
        self.hidden.build((None, None, frames_shape[-1]))
        self.score.build((None, None, self.hidden_size))

    def call(self, frames, lengths=None, state=None):
        """Frames (batch, frames, channels) -> (batch, 2 x channels): means, then standard deviations."""
        mean, variance = self.statistics(frames, lengths, state)
        return ops.concatenate([mean, ops.sqrt(variance + 1e-5)], axis=-1)

    def statistics(self, frames, lengths=None, state=None):
        """The weighted mean and variance over time, (batch, channels) each."""
        scores = self.score(self.hidden(frames))
        if self.memory:
            positions = ops.arange(ops.shape(frames)[1], dtype="int32")
            scores = scores + ops.cast(positions, scores.dtype)[:, None] / self.memory
        mask = sequence_mask(lengths, frames)
        if mask is not None:
            scores = scores + excluding(mask)
        # Keras warns of a softmax over one frame, which a step of a stream may well be.
        weights = ops.ones_like(scores) if frames.shape[1] == 1 else ops.softmax(scores, axis=1)
        mean = ops.sum(weights * frames, axis=1, keepdims=True)
        variance = ops.sum(weights * ops.square(frames - mean), axis=1)
        mean = mean[:, 0]
        if state is not None:
            mean, variance = self._add_to_past(scores[..., 0], mean, variance, state)
        return mean, variance

    def _add_to_past(self, scores, mean, variance, state):
        """Mean and variance of the past and these frames (Chan et al. 1979, "Updating formulae ... variances")."""
        size = mean.shape[-1]
        past = state.read("pooled", mean, (2 * size + 2,))
        # The past's weight is in units of exp(its greatest score), so that nothing overflows.
        old_mean, old_variance = past[:, :size], past[:, size:2 * size]
        old_weight, old_peak = past[:, -2:-1], past[:, -1:]
        if self.memory:
            old_peak = old_peak - scores.shape[1] / self.memory
        peak = ops.max(scores, axis=1, keepdims=True)
        old_peak = ops.where(old_weight > 0, old_peak, peak)
        new_peak = ops.maximum(peak, old_peak)
        weight = ops.sum(ops.exp(scores - new_peak), axis=1, keepdims=True)
        total = weight + old_weight * ops.exp(old_peak - new_peak)
        share = weight / total
        difference = mean - old_mean
        mean = old_mean + difference * share
        variance = old_variance + (variance - old_variance) * share + ops.square(difference) * share * (1.0 - share)
        state.write("pooled", ops.concatenate([mean, variance, total, new_peak], axis=-1))
        return mean, variance

    def get_config(self):
        return {**super().get_config(), "hidden_size": self.hidden_size, "memory": self.memory}


@keras.saving.register_keras_serializable(package="speechzoo")
class ChannelAttentiveStatisticsPooling(keras.layers.Layer):
    """Mean and standard deviation over time, each channel with an attention of its own that knows the whole utterance.

    Reference: Desplanques et al. 2020, https://arxiv.org/abs/2005.07143, section 3.1, as SpeechBrain has it, with
    ReLU and batch normalisation before the tanh.

    Args:
        hidden_size: Units of the attention network.

    Call arguments:
        frames: (batch, frames, channels).
        lengths: int32 (batch,), or None.

    Returns:
        (batch, 2 x channels).
    """

    def __init__(self, hidden_size: int = 128, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.hidden_size = hidden_size
        # The utterance's mean and deviation are the same at every frame: what they add is computed once.
        self.hidden = FrameDense(hidden_size, dtype=self.dtype_policy, name="hidden")
        self.context = Dense(hidden_size, use_bias=False, dtype=self.dtype_policy, name="context")
        self.norm = batch_norm("norm", dtype=self.dtype_policy)

    def build(self, frames_shape, *_):
        channels = frames_shape[-1]
        self.hidden.build((None, None, channels))
        self.context.build((None, 2 * channels))
        self.norm.build((None, None, self.hidden_size))
        self.score = FrameDense(channels, dtype=self.dtype_policy, name="score")
        self.score.build((None, None, self.hidden_size))

    def call(self, frames, lengths=None, training=False):
        """Frames (batch, frames, channels) -> (batch, 2 x channels): means, then standard deviations."""
        mask = sequence_mask(lengths, frames)
        count = ops.cast(ops.shape(frames)[1], frames.dtype) if mask is None else ops.maximum(
            ops.sum(mask, axis=1, keepdims=True), 1.0)
        context = self._statistics(frames, (1.0 if mask is None else mask) / count)
        hidden = ops.relu(self.hidden(frames) + self.context(context)[:, None])
        scores = self.score(ops.tanh(self.norm(hidden, mask, training=training)))
        if mask is not None:
            scores = scores + excluding(mask)
        weights = ops.ones_like(scores) if frames.shape[1] == 1 else ops.softmax(scores, axis=1)
        return self._statistics(frames, weights)

    def _statistics(self, frames, weights):
        mean = ops.sum(weights * frames, axis=1, keepdims=True)
        variance = ops.sum(weights * ops.square(frames - mean), axis=1)
        return ops.concatenate([mean[:, 0], ops.sqrt(ops.maximum(variance, 1e-12))], axis=-1)

    def get_config(self):
        return {**super().get_config(), "hidden_size": self.hidden_size}
