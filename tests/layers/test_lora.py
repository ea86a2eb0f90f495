"""A layer with a low-rank update computes what one with the updated kernel does."""

import keras
import numpy as np
import pytest

from speechzoo.layers.lora import DOWN, UP, is_update, kernel_path, low_rank
from speechzoo.layers.quantizable import (Conv1D, Conv2D, Dense, DepthwiseConv1D, DepthwiseConv2D, FrameDense,
                                          quantization_aware)

# Layer -> its arguments, the shape of what enters, and of its update's two matrices at rank 2.
CASES = {
    Dense: ((5,), (3, 4), ((4, 2), (2, 5))),
    FrameDense: ((5,), (3, 6, 4), ((4, 2), (2, 5))),
    Conv1D: ((5, 3), (2, 7, 4), ((12, 2), (2, 5))),
    Conv2D: ((5, (3, 2)), (2, 7, 6, 4), ((24, 2), (2, 5))),
    DepthwiseConv1D: ((3,), (2, 7, 4), ((3, 2), (2, 4))),
    DepthwiseConv2D: (((3, 2),), (2, 7, 6, 4), ((6, 2), (2, 4))),
}


def make(kind, patterns=("*",), rank=2):
    keras.utils.set_random_seed(1)
    with low_rank(rank, patterns):
        layer = kind(*CASES[kind][0], name="part")
        layer.build((None, *CASES[kind][1][1:]))
    return layer


@pytest.mark.parametrize("kind", CASES)
def test_it_is_the_layer_with_the_sum_as_its_kernel(kind):
    _, shape, shapes = CASES[kind]
    layer, inputs = make(kind), np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    down, up = layer.low_rank
    assert (tuple(down.shape), tuple(up.shape)) == shapes
    plain = kind.from_config(layer.get_config())
    plain.build((None, *shape[1:]))
    plain.kernel.assign(layer.kernel)
    np.testing.assert_array_equal(layer(inputs), plain(inputs))  # it begins as it was
    up.assign(np.random.default_rng(3).standard_normal(up.shape))
    update = (np.array(down) @ np.array(up)).reshape(layer.kernel.shape)
    plain.kernel.assign(np.array(layer.kernel) + update)
    assert np.abs(update).max() > 0.1
    np.testing.assert_allclose(layer(inputs), plain(inputs), atol=1e-5)


def test_patterns_choose_kernels_and_the_rank_is_at_most_the_kernels():
    assert make(Dense, ["other/*"]).low_rank is None
    down, up = make(Dense, ["part/ker*"], rank=9).low_rank
    assert tuple(down.shape) == (4, 4) and (down.path, up.path) == (f"part/{DOWN}", f"part/{UP}")
    assert is_update(up.path) and not is_update("part/kernel") and kernel_path(down.path) == "part/kernel"


def test_what_is_rounded_is_the_sum():
    with quantization_aware():
        layer = make(Dense)
    layer.kernel.assign(np.zeros((4, 5)))
    layer.low_rank[0].assign(np.eye(4)[:, :2])
    layer.low_rank[1].assign(np.full((2, 5), 1.0))
    layer.low_rank[1].assign(np.float32([[1.0] * 5, [0.5002] * 5]))
    layer.input_range.low.assign(-1.0)
    layer.input_range.high.assign(1.0)
    np.testing.assert_allclose(layer(np.float32([[0, 1, 0, 0]]))[0], 64 / 127 * np.ones(5), atol=4e-3)
