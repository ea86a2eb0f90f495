"""LSTM layers over the real frames of a batch."""

import keras
from keras import ops

from speechzoo.layers.quantizable import FrameDense


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameLSTM(keras.layers.Layer):
    """One LSTM layer, forwards or in both directions; backwards it starts at the last real frame.

    The products with the inputs are taken for all frames at once, before the loop over time.

    Reference: Hochreiter and Schmidhuber 1997 with forget gates, gates in the order input, forget, cell, output.

    Args:
        size: Units of each direction.
        bidirectional: Adds the backward direction; its outputs stand behind the forward ones.
        reads_energies: The inputs are energies without a logarithm: its first product is `energy_projection`, which
            exporters leave in floats, as they do the front end. Forward layers only.

    Call arguments:
        inputs: (batch, frames, channels).
        valid: (batch, frames, 1) of ones and zeros, or None.
        state: `StreamState` of a step in a stream, or None; forward layers only. The few frames of a step run one after
            the other without a loop in the graph, which int8 networks can't have.
        going_on: (batch, frames, 1) of ones and zeros, or None: before a frame with zero the layer forgets all. Forward
            layers only.

    Returns:
        (batch, frames, size or 2 x size), zero in the padding.
    """

    def __init__(self, size: int, bidirectional: bool = False, reads_energies: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.bidirectional = bidirectional
        self.directions = []
        for name in ("forward", "backward")[:2 if bidirectional else 1]:
            projection = FrameDense(4 * size, use_bias=False,
                                    name="energy_projection" if reads_energies else f"{name}_projection")
            loop = keras.layers.RNN(LSTMCell(size, name="cell"), return_sequences=True, zero_output_for_mask=True,
                                    go_backwards=name == "backward", name=name)
            self.directions.append((projection, loop))

    def build(self, inputs_shape, *_):
        for projection, loop in self.directions:
            projection.build((None, None, inputs_shape[-1]))
            loop.build((None, None, 4 * self.size))

    def call(self, inputs, valid=None, state=None, going_on=None):
        """Inputs (batch, frames, channels) -> (batch, frames, size or 2 x size), zero in the padding."""
        if state is not None:
            return self._step(inputs, state)
        mask = None if valid is None else valid[..., 0] > 0
        outputs = []
        for projection, loop in self.directions:
            projected = projection(inputs)
            projected = projected if going_on is None else ops.concatenate([projected, going_on], axis=-1)
            hidden = loop(projected, mask=mask)
            outputs.append(ops.flip(hidden, axis=1) if loop.go_backwards else hidden)
        return ops.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]

    def _step(self, inputs, state):
        (projection, loop), = self.directions
        inputs = projection(inputs)
        memory = [state.read(name, inputs, (self.size,)) for name in ("output", "cell")]
        outputs = []
        for frame in range(inputs.shape[1]):
            output, memory = loop.cell(inputs[:, frame], memory)
            outputs.append(output)
        for name, tensor in zip(("output", "cell"), memory):
            state.write(name, tensor)
        return ops.stack(outputs, axis=1)


@keras.saving.register_keras_serializable(package="speechzoo")
class LSTMCell(keras.layers.Layer):
    """One step of an LSTM whose inputs have been multiplied with their weights already.

    One number more than those multiplies what it remembers, before anything else.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.state_size = [size, size]
        self.output_size = size

    def build(self, *_):
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(self.size, 4 * self.size),
                                                initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(4 * self.size,), initializer=_forget_one)

    def call(self, inputs, states, training=False):
        """Inputs (batch, 4 x size [+ 1]), states two of (batch, size) -> output (batch, size) and the new states."""
        output, cell = states
        if inputs.shape[-1] > 4 * self.size:
            going_on = inputs[:, 4 * self.size:]
            inputs, output, cell = inputs[:, :4 * self.size], output * going_on, cell * going_on
        gates = inputs + ops.matmul(output, self.recurrent_kernel) + self.bias
        write, keep, new, show = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(keep) * cell + ops.sigmoid(write) * ops.tanh(new)
        output = ops.sigmoid(show) * ops.tanh(cell)
        return output, [output, cell]

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def _forget_one(shape, dtype=None):
    """Biases of 1 at the forget gates, so that memory lasts from the first step (Jozefowicz et al. 2015)."""
    size = shape[0] // 4
    return ops.concatenate([ops.zeros((size,), dtype), ops.ones((size,), dtype), ops.zeros((2 * size,), dtype)])
