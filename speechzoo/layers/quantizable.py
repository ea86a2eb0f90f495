"""Layers that multiply by weights: what int8 makes of them, and what low rank adds to them, in training.

They are Keras's own. Where they are made under `quantization_aware`, they compute with weights and inputs rounded to
the values that an int8 file has, and pass gradients on as if nothing had been rounded, so that training makes the best
of it (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3). The weights themselves stay what they are: the
trained model loads, without any of this, like every other.
"""

import contextlib
import contextvars

import keras
from keras import ops

from speechzoo.layers.lora import add_update, update_of

_AWARE = contextvars.ContextVar("quantization_aware", default=False)
_MOMENTUM = 0.99  # of the running range of what enters a layer
_INPUT_STEPS = 255
_WEIGHT_STEPS = 127


@contextlib.contextmanager
def quantization_aware(aware: bool = True):
    """Layers that are made in this context compute as in int8, if `aware`."""
    token = _AWARE.set(aware)
    try:
        yield
    finally:
        _AWARE.reset(token)


def round_inputs(inputs, low, high):
    """Values as int8 has them: 256 equal steps from `low` to `high`, shifted so that zero is one of them.

    Args:
        inputs: Tensor of any shape.
        low, high: Scalars, low <= 0 <= high, not both zero. What lies beyond is cut off, and has no gradient.
    """
    step = (high - low) / _INPUT_STEPS
    lowest = -ops.clip(ops.round(-low / step), 0, _INPUT_STEPS) * step
    inside = ops.clip(inputs, lowest, lowest + _INPUT_STEPS * step)
    rounded = ops.floor((inside - lowest) / step + 0.5) * step + lowest
    return inside + ops.stop_gradient(rounded - inside)


def round_weights(weights, axes: tuple[int, ...]):
    """Values as int8 has them: 127 equal steps either way to the greatest of each channel.

    Batch normalisation scales whole channels when a file is made; that changes nothing about how they are rounded.

    Args:
        weights: Tensor of any shape.
        axes: Those that a channel extends over.
    """
    step = ops.maximum(ops.max(ops.abs(weights), axis=axes, keepdims=True), 1e-12) / _WEIGHT_STEPS
    return weights + ops.stop_gradient(ops.round(weights / step) * step - weights)


@keras.saving.register_keras_serializable(package="speechzoo")
class InputRange(keras.layers.Layer):
    """Rounds what enters a layer to int8, over the range that it has had in training so far.

    Call arguments:
        inputs: Tensor of any shape.
    """

    def build(self, inputs_shape):
        self.low, self.high = (self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
                               for name in ("low", "high"))

    def call(self, inputs, training=False):
        """Inputs of any shape -> the same shape, rounded to 256 values."""
        low, high = ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.high)
        if training and self.trainable:
            seen = ops.cast(high > low, inputs.dtype) * _MOMENTUM
            low = seen * low + (1 - seen) * ops.minimum(ops.stop_gradient(ops.min(inputs)), 0.0)
            high = seen * high + (1 - seen) * ops.maximum(ops.stop_gradient(ops.max(inputs)), 0.0)
            self.low.assign(low)
            self.high.assign(high)
        # Nothing is rounded before there is a range.
        known = high > low
        return ops.where(known, round_inputs(inputs, low, ops.where(known, high, 1.0)), inputs)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


class _Product:
    """Mixin before a layer of Keras that has a `kernel`.

    Attributes:
        kernel_axes: Axes of the kernel that an output channel extends over.
    """

    kernel_axes: tuple[int, ...] = ()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.input_range = InputRange(name="input_range") if _AWARE.get() else None
        self.low_rank = None

    def build(self, inputs_shape):
        super().build(inputs_shape)
        self.low_rank = add_update(self, len(self.kernel_axes))
        if self.input_range is not None:
            self.input_range.build(inputs_shape)

    def call(self, inputs, training=None):
        if self.input_range is None and self.low_rank is None:
            return super().call(inputs)
        kernel = ops.convert_to_tensor(self.kernel)
        if self.low_rank is not None:
            kernel = kernel + update_of(*self.low_rank, kernel)
        if self.input_range is not None:
            kernel = round_weights(kernel, self.kernel_axes)
            inputs = self.input_range(inputs, training=training)
        # Inside of a StatelessScope, a variable that is not in the mapping has its value from outside of all scopes.
        others = [] if self.bias is None else [(self.bias, ops.convert_to_tensor(self.bias))]
        with keras.StatelessScope(state_mapping=[(self.kernel, kernel), *others]):
            return super().call(inputs)


@keras.saving.register_keras_serializable(package="speechzoo")
class Dense(_Product, keras.layers.Dense):
    """`keras.layers.Dense`."""

    kernel_axes = (0,)


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameDense(Dense):
    """`keras.layers.Dense` for (batch, frames, channels), as one product of two matrices.

    Dense spells the product of a batch out in a dozen operators that compute shapes, and a device runs every one of
    them: with this layer the TFLite file of `mtl_conformer_small` runs 1.5 times as fast.
    """

    def call(self, inputs, training=None):
        """Inputs (batch, frames, channels) -> (batch, frames, units)."""
        batch, frames, channels = ops.shape(inputs)
        outputs = super().call(ops.reshape(inputs, (-1, channels)), training=training)
        # A known batch, as in exported files, leaves no shape to compute.
        return ops.reshape(outputs, (batch, -1 if isinstance(batch, int) else frames, self.units))


class _Convolution(_Product):
    """One whose channels come last, whatever a user's keras.json says: all our tensors are so."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"data_format": "channels_last", **kwargs})


@keras.saving.register_keras_serializable(package="speechzoo")
class Conv1D(_Convolution, keras.layers.Conv1D):
    """`keras.layers.Conv1D`."""

    kernel_axes = (0, 1)


@keras.saving.register_keras_serializable(package="speechzoo")
class Conv2D(_Convolution, keras.layers.Conv2D):
    """`keras.layers.Conv2D`."""

    kernel_axes = (0, 1, 2)


@keras.saving.register_keras_serializable(package="speechzoo")
class DepthwiseConv1D(_Convolution, keras.layers.DepthwiseConv1D):
    """`keras.layers.DepthwiseConv1D`."""

    kernel_axes = (0,)


@keras.saving.register_keras_serializable(package="speechzoo")
class DepthwiseConv2D(_Convolution, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`."""

    kernel_axes = (0, 1)
