"""A mixture of experts, by weights that depend on the utterance."""

import keras
from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Dense


@keras.saving.register_keras_serializable(package="speechzoo")
class ExpertGate(keras.layers.Layer):
    """sum over experts i of softmax(W x)_i y_i, with x the mean of an utterance over time (and bins).

    W starts at 0, so that every expert counts the same.

    Call arguments:
        inputs: (batch, time, [bins,] channels): what the gate looks at.
        experts: List of tensors of one shape, (batch, ...): what is mixed.
        lengths: int32 (batch,) in frames of `inputs`, or None when nothing is padded.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, inputs_shape, experts_shape, *_):
        self.dense = Dense(len(experts_shape), use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy,
                           name="dense")
        self.dense.build((None, inputs_shape[-1]))

    def call(self, inputs, experts, lengths=None):
        """Inputs (batch, time, [bins,] channels), experts of one shape (batch, ...) -> a tensor of that shape."""
        shares = self.shares(inputs, lengths)
        one = (-1,) + (1,) * (len(experts[0].shape) - 1)
        return sum(ops.reshape(shares[:, number], one) * expert for number, expert in enumerate(experts))

    def shares(self, inputs, lengths=None):
        """The weights of the experts, (batch, experts); they sum to 1."""
        return ops.softmax(self.dense(mean_over_time(inputs, lengths)))


def mean_over_time(inputs, lengths=None):
    """(batch, time, [bins,] channels) -> (batch, channels), without the padding."""
    if len(inputs.shape) == 4:
        inputs = ops.mean(inputs, axis=2)
    valid = sequence_mask(lengths, inputs)
    if valid is None:
        return ops.mean(inputs, axis=1)
    return ops.sum(inputs * valid, axis=1) / ops.maximum(ops.sum(valid, axis=1), 1.0)
