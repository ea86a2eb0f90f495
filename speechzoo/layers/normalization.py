"""Normalisations whose statistics are those of real frames only."""

import keras
from keras import ops


def batch_norm(name: str, **kwargs):
    """The batch normalisation of the convolutional backbones, with the momentum that short training runs need."""
    return FrameBatchNormalization(epsilon=1e-5, momentum=0.9, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of channels whose statistics leave padding out.

    Keras can do that, too, with a mask for every position; here the sums over positions are products of matrices and
    the map of the channels is one product and one sum: a small convolutional network trains 1.25 times as fast.

    Call arguments:
        inputs: (batch, frames, channels) or (batch, frames, bins, channels).
        valid: Ones and zeros, (batch, frames, 1) or (batch, frames, 1, 1) like `inputs`; None when nothing is padded.

    Attributes:
        statistics_rest: It uses its running mean and variance in training, too, and leaves them as they are.
        observer: Called with inputs and mask before they are normalised, where it isn't None; for models that run
            eagerly.

    Reference: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1.
    """

    statistics_rest = False
    observer = None

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, [bins,] channels) -> the same shape."""
        scale, offset = _scale_and_offset(self, inputs, valid, training)
        return ops.cast(ops.cast(inputs, scale.dtype) * scale + offset, self.compute_dtype)

    def moments(self, inputs, valid):
        """Mean and variance of each channel over the valid positions."""
        weight = ops.ones_like(inputs[..., :1])
        weight = ops.reshape(weight if valid is None else weight * valid, (1, -1))
        # Differences from the running mean are small beside their spread: nothing cancels in the mean of squares.
        running = ops.cast(self.moving_mean, inputs.dtype)
        centred = ops.reshape(inputs, (-1, inputs.shape[-1])) - running
        count = ops.sum(weight)
        mean = ops.matmul(weight, centred)[0] / count
        variance = ops.matmul(weight, ops.square(centred))[0] / count - ops.square(mean)
        return mean + running, ops.maximum(variance, 0.0)


@keras.saving.register_keras_serializable(package="speechzoo")
class SubSpectralNorm(keras.layers.Layer):
    """Batch normalisation with statistics, scales and offsets of its own for each band of frequencies.

    Reference: Chang et al. 2021, https://arxiv.org/abs/2103.13620, equation 1, with an affine map per band ("Sub").

    Args:
        bands: Bands; they must divide the bins.

    Call arguments:
        inputs: (batch, frames, bins, channels).
        valid: (batch, frames, 1, 1) of ones and zeros, or None.

    Attributes:
        statistics_rest, observer: As of `FrameBatchNormalization`.
    """

    statistics_rest = False
    observer = None

    def __init__(self, bands: int, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.bands = bands
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, inputs_shape, *_):
        bins, channels = inputs_shape[-2:]
        if bins % self.bands:
            raise ValueError(f"{self.bands} bands do not divide {bins} bins")
        self.bins = bins
        # As in Keras's normalisation, they aren't cast where a layer computes in half precision.
        options = {"shape": (self.bands, channels), "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **options)
        self.beta = self.add_weight(name="beta", initializer="zeros", **options)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", trainable=False, **options)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", trainable=False, **options)

    def call(self, inputs, valid=None, training=False):
        """Inputs (batch, frames, bins, channels) -> the same shape."""
        scale, offset = _scale_and_offset(self, inputs, valid, training)
        # One scale per bin: in an exported file these are constants, and the layer is one product and one sum.
        width = self.bins // self.bands
        outputs = ops.cast(inputs, scale.dtype) * ops.repeat(scale, width, axis=0) + ops.repeat(offset, width, axis=0)
        return ops.cast(outputs, self.compute_dtype)

    def moments(self, inputs, valid):
        """Mean and variance of each band and channel over the valid positions."""
        batch, frames, channels = ops.shape(inputs)[0], ops.shape(inputs)[1], inputs.shape[-1]
        width = self.bins // self.bands
        split = ops.reshape(inputs, (batch, frames, self.bands, width, channels))
        weight = ops.ones_like(split[:, :, :1, :1, :1]) if valid is None else valid[..., None]
        count = ops.sum(weight) * width
        mean = ops.sum(split * weight, axis=(0, 1, 3)) / count
        centred = (split - mean[:, None]) * weight
        return mean, ops.sum(ops.square(centred), axis=(0, 1, 3)) / count

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "bands": self.bands, "momentum": self.momentum, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="speechzoo")
class UtteranceNormalization(keras.layers.Layer):
    """Each channel of an utterance with mean 0 and variance 1 over its frames, then a scale and an offset per channel.

    PyTorch calls it a group normalisation with as many groups as channels, or with one where `over_channels`. The
    statistics are those of the row's valid frames alone, so that a padded row gives what the row gives alone.

    Reference: Wu and He 2018, https://arxiv.org/abs/1803.08494, section 3.1 (with one channel per group it is an
    instance normalisation).

    Args:
        epsilon: Added to the variance.
        over_channels: Mean and variance are those of all channels together.

    Call arguments:
        inputs: (batch, frames, channels).
        valid: (batch, frames, 1) of ones and zeros; None when nothing is padded.
    """

    def __init__(self, epsilon: float = 1e-5, over_channels: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.over_channels = over_channels

    def build(self, inputs_shape, *_):
        # As in Keras's normalisations, they aren't cast where a layer computes in half precision.
        options = {"shape": (inputs_shape[-1],), "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **options)
        self.beta = self.add_weight(name="beta", initializer="zeros", **options)

    def call(self, inputs, valid=None):
        """Inputs (batch, frames, channels) -> the same shape."""
        # Sums over all frames are too long for half precision.
        inputs = ops.cast(inputs, keras.backend.result_type(self.variable_dtype, "float32"))
        mean = self._mean(inputs, valid)
        variance = self._mean(ops.square(inputs - mean), valid)
        outputs = (inputs - mean) * (self.gamma * ops.rsqrt(variance + self.epsilon)) + self.beta
        return ops.cast(outputs, self.compute_dtype)

    def _mean(self, inputs, valid):
        mean = utterance_mean(inputs, valid)
        return ops.mean(mean, axis=-1, keepdims=True) if self.over_channels else mean

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "over_channels": self.over_channels}


def utterance_mean(inputs, valid=None):
    """Mean of each channel over the row's valid frames: (batch, frames, channels) -> (batch, 1, channels)."""
    if valid is None:
        return ops.mean(inputs, axis=1, keepdims=True)
    valid = ops.cast(valid, inputs.dtype)
    return ops.sum(inputs * valid, axis=1, keepdims=True) / ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)


def _scale_and_offset(norm, inputs, valid, training):
    """What a normalisation multiplies by and adds: from the batch's moments in training, else from the running ones."""
    if norm.observer is not None:
        norm.observer(inputs, valid)
    mean, variance = norm.moving_mean, norm.moving_variance
    if training and norm.trainable and not norm.statistics_rest:
        # Sums over a batch are too long for half precision.
        dtype = keras.backend.result_type(norm.variable_dtype, "float32")
        moments = norm.moments(ops.cast(inputs, dtype), None if valid is None else ops.cast(valid, dtype))
        mean, variance = (ops.cast(moment, norm.variable_dtype) for moment in moments)
        for moving, value in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            moving.assign(moving * norm.momentum + value * (1.0 - norm.momentum))
    scale = norm.gamma * ops.rsqrt(variance + norm.epsilon)
    return scale, norm.beta - mean * scale
