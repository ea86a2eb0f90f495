"""LSTM and GRU layers over the real frames of a batch."""

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


@keras.saving.register_keras_serializable(package="speechzoo")
class GroupedGRU(keras.layers.Layer):
    """One forward GRU layer whose channels are in groups that don't see each other.

    Reference: Cho et al. 2014 (https://arxiv.org/abs/1406.1078), with the reset gate behind the product, as cuDNN and
    Keras (`reset_after`) have it; groups as in Gao et al. 2018 (https://aclanthology.org/D18-1430).

    Args:
        size: Units of all groups together.
        groups: Groups, which divide the units and the channels that come.

    Call arguments:
        inputs: (batch, frames, channels).
        valid: (batch, frames, 1) of ones and zeros, or None.
        state: `StreamState` of a step in a stream, or None; see `FrameLSTM`.

    Returns:
        (batch, frames, size), zero in the padding.

    Raises:
        ValueError: Groups that don't divide the units or the channels.
    """

    def __init__(self, size: int, groups: int = 1, **kwargs):
        super().__init__(**kwargs)
        if groups < 1 or size % groups:
            raise ValueError(f"{groups} groups don't divide {size} units")
        self.size = size
        self.groups = groups
        self.projections = [FrameDense(3 * size // groups, name=f"projection_{i}") for i in range(1, groups + 1)]
        self.loop = keras.layers.RNN(GroupedGRUCell(size, groups, name="cell"), return_sequences=True,
                                     zero_output_for_mask=True, name="forward")

    def build(self, inputs_shape, *_):
        if inputs_shape[-1] % self.groups:
            raise ValueError(f"{self.groups} groups don't divide {inputs_shape[-1]} channels")
        for projection in self.projections:
            projection.build((None, None, inputs_shape[-1] // self.groups))
        self.loop.build((None, None, 3 * self.size))

    def call(self, inputs, valid=None, state=None):
        """Inputs (batch, frames, channels) -> (batch, frames, size), zero in the padding."""
        parts = [inputs] if self.groups == 1 else ops.split(inputs, self.groups, axis=-1)
        projected = ops.concatenate([projection(part) for projection, part in zip(self.projections, parts)], axis=-1)
        if state is None:
            return self.loop(projected, mask=None if valid is None else valid[..., 0] > 0)
        hidden, outputs = state.read("output", projected, (self.size,)), []
        for frame in range(projected.shape[1]):
            hidden, _ = self.loop.cell(projected[:, frame], [hidden])
            outputs.append(hidden)
        state.write("output", hidden)
        return ops.stack(outputs, axis=1)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "groups": self.groups}


@keras.saving.register_keras_serializable(package="speechzoo")
class GroupedGRUCell(keras.layers.Layer):
    """One step of a `GroupedGRU` whose inputs have been multiplied with their weights already.

    Gates of a group are in the order update, reset, new; groups stand one behind the other.
    """

    def __init__(self, size: int, groups: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.groups = groups
        self.state_size = [size]
        self.output_size = size

    def build(self, *_):
        units = self.size // self.groups
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(self.groups, units, 3 * units),
                                                initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.groups, 1, 3 * units), initializer="zeros")

    def call(self, inputs, states, training=False):
        """Inputs (batch, 3 x size), states one of (batch, size) -> output (batch, size) and the new states."""
        units, outputs = self.size // self.groups, []
        # A product for each group: TFLite's converter fails at one over a batch of groups inside of a loop.
        for group in range(self.groups):
            past = states[0][:, group * units:(group + 1) * units]
            update, reset, new = ops.split(inputs[:, 3 * group * units:3 * (group + 1) * units], 3, axis=-1)
            recurrent = ops.matmul(past, self.recurrent_kernel[group]) + self.bias[group]
            past_update, past_reset, past_new = ops.split(recurrent, 3, axis=-1)
            update = ops.sigmoid(update + past_update)
            new = ops.tanh(new + ops.sigmoid(reset + past_reset) * past_new)
            outputs.append(update * past + (1 - update) * new)
        output = outputs[0] if self.groups == 1 else ops.concatenate(outputs, axis=-1)
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "size": self.size, "groups": self.groups}
