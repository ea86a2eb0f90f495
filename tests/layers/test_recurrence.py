"""Grouped GRU layers against those of Keras, and in steps."""

import keras
import numpy as np
import pytest

from speechzoo.layers.recurrence import GroupedGRU
from speechzoo.layers.stream_state import StreamState
from tests.helpers import spread_weights

INPUTS = np.random.default_rng(0).standard_normal((2, 7, 6)).astype(np.float32)


def made(groups):
    layer = GroupedGRU(8, groups)
    layer.build(INPUTS.shape)
    spread_weights(layer)
    return layer


def keras_gru(layer, group):
    """The GRU of Keras with the weights of one group."""
    gru = keras.layers.GRU(layer.size // layer.groups, return_sequences=True, reset_after=True)
    projection, cell = layer.projections[group], layer.loop.cell
    gru.build((None, None, projection.kernel.shape[0]))
    biases = np.stack([np.asarray(projection.bias), np.asarray(cell.bias)[group, 0]])
    gru.set_weights([np.asarray(projection.kernel), np.asarray(cell.recurrent_kernel)[group], biases])
    return gru


@pytest.mark.parametrize("groups", [1, 2])
def test_each_group_is_a_gru_of_its_own(groups):
    layer = made(groups)
    expected = [keras_gru(layer, number)(part) for number, part in enumerate(np.split(INPUTS, groups, axis=-1))]
    np.testing.assert_allclose(layer(INPUTS), np.concatenate(expected, axis=-1), atol=1e-6)


def test_padding_changes_nothing_and_is_zero():
    layer = made(2)
    valid = (np.arange(7)[None, :, None] < np.array([7, 4])[:, None, None]).astype(np.float32)
    outputs = np.asarray(layer(INPUTS * valid, valid))
    np.testing.assert_allclose(outputs[1, :4], layer(INPUTS[1:, :4])[0], atol=1e-6)
    assert not outputs[1, 4:].any()


def test_steps_give_what_the_whole_gives():
    layer, state, outputs = made(2), None, []
    for part in np.split(INPUTS, [1, 4], axis=1):
        past = StreamState(state)
        outputs.append(layer(part, state=past))
        state = past.new
    np.testing.assert_allclose(np.concatenate(outputs, axis=1), layer(INPUTS), atol=1e-6)


def test_groups_have_to_fit():
    with pytest.raises(ValueError, match="3 groups don't divide 8 units"):
        GroupedGRU(8, 3)
    with pytest.raises(ValueError, match="4 groups don't divide 6 channels"):
        GroupedGRU(8, 4).build((None, None, 6))
