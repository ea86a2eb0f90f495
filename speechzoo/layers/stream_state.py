"""What the steps of a stream hand on: the past that each layer needs, as explicit named tensors."""

from keras import ops


class StreamState:
    """Named tensors that a step takes from the step before and leaves to the next.

    A layer that looks into the past asks for it by name; there are no hidden variables, so one model serves any number
    of streams, on every backend and in every exported file. A stream begins with zeros in all of them.

    Args:
        tensors: Name -> tensor (batch, ...) that the step before left; None in the first step, where layers get zeros.

    Attributes:
        new: Name -> tensor for the next step, filled while the layers run.

    Example:
        >>> state = StreamState({"pool_past": ops.ones((1, 2, 3))})
        >>> state.within("pool").prepend("past", ops.zeros((1, 4, 3)), 2).shape
        TensorShape([1, 6, 3])
        >>> sorted(state.new)
        ['pool_past']
    """

    def __init__(self, tensors: dict | None = None):
        self.tensors = tensors
        self.new = {}
        self.prefix = ""

    def within(self, name: str) -> "StreamState":
        """The same state, as a part of the model sees it: its names follow `name` and an underscore."""
        part = StreamState(self.tensors)
        part.new, part.prefix = self.new, f"{self.prefix}{name}_"
        return part

    def read(self, name: str, like, shape: tuple):
        """What the step before left: (batch of `like`, *shape), zeros at the beginning."""
        if self.tensors is None:
            return ops.zeros((ops.shape(like)[0], *shape), like.dtype)
        return self.tensors[self.prefix + name]

    def write(self, name: str, tensor):
        """Leaves a tensor to the next step."""
        self.new[self.prefix + name] = tensor

    def prepend(self, name: str, inputs, count: int):
        """`inputs` (batch, time, ...) behind the last `count` positions in time that came before them."""
        past = self.read(name, inputs, (count, *inputs.shape[2:]))
        joined = ops.concatenate([past, inputs], axis=1)
        self.write(name, joined[:, -count:])
        return joined


def part_of(state: StreamState | None, name: str) -> StreamState | None:
    """`state.within(name)`, or None for None: outside of streams there is no state."""
    return None if state is None else state.within(name)


def pad_time(inputs, before: int, after: int = 0, bins: tuple = (0, 0), state: StreamState | None = None,
             name: str = "past"):
    """What a convolution sees around its inputs: zeros at both ends of an utterance, the past inside a stream.

    A step of a stream is as long as the strides of all layers need, so nothing looks behind its end.

    Args:
        inputs: (batch, time, ...).
        before, after: Positions in time that the convolution looks at around an utterance.
        bins: Zeros on both sides of the bins, for (batch, time, bins, channels).
        state: The state of a stream; None for a whole utterance.
        name: Name of the past in the state.
    """
    if state is not None and before:
        inputs = state.prepend(name, inputs, before)
    time = (before, after) if state is None else (0, 0)
    if not any((*time, *bins)):
        return inputs
    if inputs.ndim == 4 and inputs.shape[-1] == 1:
        # TFLite's PAD copies runs of the last axis: with one channel that is a value at a time, four times as slow.
        return ops.expand_dims(ops.pad(ops.squeeze(inputs, -1), ((0, 0), time, bins)), -1)
    return ops.pad(inputs, ((0, 0), time, bins, *[(0, 0)] * (inputs.ndim - 3))[:inputs.ndim])
