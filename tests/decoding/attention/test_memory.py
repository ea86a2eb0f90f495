"""The memory of a decoder, taken apart."""

import weakref

import numpy as np
import pytest

from speechzoo.decoding.attention.memory import VALID, MemoryParts, memory_parts, memory_shapes

SHAPES = {"block_1_keys": [9, 2], "block_1_values": [9, 2], "block_2_keys": [9, 2], "block_2_values": [9, 2]}


def test_each_block_gets_its_keys_and_its_values_turned():
    memory = np.arange(5 * 9, dtype=np.float32).reshape(1, 5, 9)
    parts = memory_parts(memory, SHAPES)
    for number, name in enumerate(SHAPES):
        expected = memory[:, :, 2 * number:2 * number + 2]
        expected = expected.transpose(0, 2, 1) if name.endswith("values") else expected
        np.testing.assert_array_equal(parts[f"memory_{name}"], expected)
    np.testing.assert_array_equal(parts[VALID], memory[:, :, 8])
    assert all(part.flags.c_contiguous for part in parts.values())
    expected = {name: tuple(5 if size is None else size for size in shape)
                for name, shape in memory_shapes(SHAPES).items()}
    assert {name: part.shape[1:] for name, part in parts.items()} == expected


@pytest.mark.parametrize("shape", [(5, 9), (1, 5, 8)])
def test_the_memory_of_another_decoder(shape):
    with pytest.raises(ValueError, match=r"memory of shape .*; expected \(utterances, frames, 9\)"):
        memory_parts(np.zeros(shape, np.float32), SHAPES)


def test_parts_are_made_once_and_last_as_long_as_their_memory():
    parts_of, memory = MemoryParts(SHAPES), np.ones((5, 9), np.float32)
    parts = parts_of(memory)
    np.testing.assert_array_equal(parts[VALID], np.ones((1, 5)))
    assert parts_of(memory) is parts and parts_of(2 * memory) is not parts
    again = parts_of(memory)
    alive = weakref.ref(again[VALID])
    del again, memory
    assert alive() is None
