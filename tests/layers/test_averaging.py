"""Exponential averages against a loop over the frames, whole and in steps."""

import numpy as np
import pytest

from speechzoo.layers.averaging import exponential_average
from speechzoo.layers.stream_state import StreamState


def reference(inputs, decay):
    """The definition, one frame at a time."""
    averages, total, weight = [], np.zeros(inputs.shape[-1]), 0.0
    for frame in inputs.astype(np.float64):
        total, weight = decay * total + frame, decay * weight + 1.0
        averages.append(total / weight)
    return np.array(averages)


@pytest.mark.parametrize("decay", [0.3, 0.975, 0.9999])
@pytest.mark.parametrize("frames", [1, 31, 32, 33, 200])
def test_averages_equal_a_loop(decay, frames):
    inputs = np.random.default_rng(frames).uniform(0.5, 3.0, (2, frames, 3)).astype(np.float32)
    got = np.asarray(exponential_average(inputs, decay))
    np.testing.assert_allclose(got, [reference(row, decay) for row in inputs], rtol=2e-5)
    np.testing.assert_allclose(got[:, 0], inputs[:, 0], rtol=1e-6)


@pytest.mark.parametrize("step", [1, 7, 40])
def test_a_stream_averages_what_the_whole_does(step):
    inputs = np.random.default_rng(0).uniform(0.5, 3.0, (2, 4 * step, 3)).astype(np.float32)
    tensors, got = None, []
    for start in range(0, inputs.shape[1], step):
        state = StreamState(tensors)
        got.append(np.asarray(exponential_average(inputs[:, start:start + step], 0.95, state)))
        tensors = state.new
    np.testing.assert_allclose(np.concatenate(got, axis=1), np.asarray(exponential_average(inputs, 0.95)), rtol=2e-5)
