"""Factors of the learning rate act exactly, and change nothing else."""

import keras
import numpy as np
import pytest

from speechzoo.config import ConfigError
from speechzoo.training.freezing import freeze
from speechzoo.training.rates import RatedAdamW, match_rates, match_starts
from tests.multitask.test_weighting_training import make_model

RATE, DECAY = 0.1, 0.3


def updated(optimizer, steps=1):
    """Two variables after some steps with the same gradients."""
    first, second = (keras.Variable([1.0, -2.0, 3.0], name=name) for name in ("first", "second"))
    optimizer.build([first, second])
    for step in range(steps):
        gradient = np.float32([0.5, -1.0, 0.01 + step])
        optimizer.apply([keras.ops.convert_to_tensor(gradient)] * 2)
    return [np.array(variable) for variable in (first, second)]


def test_one_step_by_hand():
    """The first step of Adam is the sign of the gradient; the decay is of the weight before it."""
    plain, halved = updated(RatedAdamW(RATE, weight_decay=DECAY, rates={"second": 0.5}))
    start, sign = np.float32([1, -2, 3]), np.float32([1, -1, 1])
    np.testing.assert_allclose(plain, start - RATE * (DECAY * start + sign), rtol=1e-4)
    np.testing.assert_allclose(halved, start - 0.5 * RATE * (DECAY * start + sign), rtol=1e-4)


def test_it_is_adamw_at_another_rate_with_all_that_goes_with_it():
    options = {"weight_decay": DECAY, "global_clipnorm": 0.5, "use_ema": True}
    for schedule in (lambda rate: rate, lambda rate: keras.optimizers.schedules.ExponentialDecay(rate, 1, 0.5)):
        plain, halved = updated(RatedAdamW(schedule(RATE), rates={"second": 0.5}, **options), steps=3)
        np.testing.assert_array_equal(plain, updated(keras.optimizers.AdamW(schedule(RATE), **options), steps=3)[0])
        expected = updated(keras.optimizers.AdamW(schedule(RATE / 2), **options), steps=3)[1]
        np.testing.assert_allclose(halved, expected, rtol=1e-6)


def test_what_starts_later_begins_with_the_moments_of_all_steps():
    late = [updated(RatedAdamW(RATE, weight_decay=DECAY, starts={"second": 2}), steps)[1] for steps in (2, 3)]
    np.testing.assert_array_equal(late[0], np.float32([1, -2, 3]))
    plain = [updated(keras.optimizers.AdamW(RATE, weight_decay=0), steps)[0] for steps in (2, 3)]
    decay = RATE * DECAY * late[0]
    np.testing.assert_allclose(late[1] - late[0], plain[1] - plain[0] - decay, rtol=1e-4)


def test_epochs_are_steps_from_which_weights_train():
    model = make_model("static")
    freeze(model, ["frontend/*"])
    starts = match_starts(model, {"backbone/*": 3, "backbone/block_2_*": 2}, [4, 5, 6])
    assert set(starts.values()) == {4, 9}
    assert {path for path, step in starts.items() if step == 4} == {path for path in starts if "block_2_" in path}
    with pytest.raises(ConfigError, match="training.unfreeze: 'backbone/.' shall train from epoch 4, and there are 3"):
        match_starts(model, {"backbone/*": 4}, [1, 1, 1])
    with pytest.raises(ConfigError, match="training.unfreeze: no weight that trains matches 'frontend/.*'"):
        match_starts(model, {"frontend/*": 2}, [1, 1])


def test_its_state_is_that_of_adamw():
    rated, plain = RatedAdamW(RATE, rates={"second": 0.5}), keras.optimizers.AdamW(RATE)
    for optimizer in (rated, plain):
        updated(optimizer)
    assert [variable.shape for variable in rated.variables] == [variable.shape for variable in plain.variables]


def test_survives_saving():
    optimizer = RatedAdamW(RATE, weight_decay=DECAY, rates={"second": 0.5}, starts={"first": 1}, use_ema=True)
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert restored.get_config() == optimizer.get_config() and restored.decay == DECAY
    np.testing.assert_array_equal(updated(restored, 2), updated(optimizer, 2))


def test_the_last_pattern_that_matches_counts():
    model = make_model("static")
    freeze(model, ["frontend/*", "backbone/conv_1/*"])
    rates = match_rates(model, {"backbone/*": 0.1, "backbone/*/kernel": 0.2, "backbone/block_2_*": 0.3})
    trained = {variable.path for variable in model.trainable_variables if variable.path.startswith("backbone/")}
    assert rates.keys() == trained and "backbone/conv_1/kernel" not in rates
    assert rates["backbone/norm_1/gamma"] == 0.1 and rates["backbone/block_1_depthwise/kernel"] == 0.2
    assert rates["backbone/block_2_depthwise/kernel"] == rates["backbone/block_2_norm_pointwise/beta"] == 0.3
    with pytest.raises(ConfigError, match=r"training.rates: no weight that trains matches 'backbone/conv_1/\*'"):
        match_rates(model, {"backbone/conv_1/*": 0.5})
