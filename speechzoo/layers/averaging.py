"""Averages over the past that forget it exponentially, without a loop over the frames."""

import numpy as np
from keras import ops

from speechzoo.layers.stream_state import StreamState

_BLOCK = 32  # frames that one product with constants averages


def exponential_average(inputs, decay: float, state: StreamState | None = None, name: str = "average"):
    """Mean of each frame and those before it, `decay` ** k that of k frames before: a filter of the first order.

    average[t] = sum over k of decay ** k * inputs[t - k] / sum over k of decay ** k, with k from 0 to t. The
    denominator is what Adam's correction of its moments is: the first average is the first frame itself, and the past
    that isn't there counts nothing. It is computed as two products of matrices, inside blocks of frames and between
    them, which is exact, and plain operators on every device.

    Args:
        inputs: (batch, frames, channels).
        decay: Between 0 and 1.
        state: The state of a stream; None for a whole utterance.
        name: Name of the average in the state.

    Returns:
        (batch, frames, channels).
    """
    batch, frames, channels = ops.shape(inputs)[0], ops.shape(inputs)[1], inputs.shape[2]
    # Behind the channels one more of ones, whose sum is the denominator: both begin with zeros in a stream.
    inputs = ops.concatenate([inputs, ops.ones_like(inputs[..., :1])], axis=-1)
    blocks = (frames + _BLOCK - 1) // _BLOCK
    padded = ops.pad(inputs, ((0, 0), (0, blocks * _BLOCK - frames), (0, 0)))
    padded = ops.reshape(padded, (batch, blocks, _BLOCK, channels + 1))
    position = np.arange(_BLOCK)
    distance = position[:, None] - position[None, :]
    within = np.where(distance >= 0, float(decay) ** np.maximum(distance, 0), 0.0).astype(np.float32)
    sums = ops.matmul(within, padded)
    # What is left of all blocks before, at the end of the block before: decay ** (_BLOCK * blocks between).
    number = ops.cast(ops.arange(blocks, dtype="int32"), inputs.dtype)
    between = number[:, None] - number[None, :] - 1.0
    factor = float(_BLOCK * np.log(decay))
    weights = ops.where(between >= 0, ops.exp(factor * ops.maximum(between, 0.0)), 0.0)
    before = ops.matmul(weights, sums[:, :, -1])
    if state is not None:
        past = state.read(name, inputs, (1, channels + 1))
        before = before + ops.exp(factor * number)[:, None] * past
    fading = (float(decay) ** (position + 1)).astype(np.float32)[:, None]
    sums = ops.reshape(sums + fading * before[:, :, None], (batch, blocks * _BLOCK, channels + 1))[:, :frames]
    if state is not None:
        state.write(name, sums[:, -1:])
    return sums[..., :-1] / sums[..., -1:]
