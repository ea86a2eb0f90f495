import keras
import numpy as np
import pytest

from speechzoo.config import TrainingConfig
from speechzoo.training.schedule import WarmupCosine, WarmupLinear, make_optimizer


def test_values():
    schedule = WarmupCosine(peak=0.1, warmup_steps=4, total_steps=14)
    steps = np.arange(16)
    expected = np.where(steps < 4, 0.1 * (steps + 1) / 4, 0.05 * (1 + np.cos(np.pi * np.clip((steps - 4) / 10, 0, 1))))
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected, atol=1e-8)


def test_a_straight_line():
    schedule = WarmupLinear(peak=0.1, warmup_steps=4, total_steps=14)
    expected = [0.025, 0.05, 0.075, 0.1, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.0, 0.0]
    np.testing.assert_allclose([float(schedule(step)) for step in range(16)], expected, atol=1e-8)


@pytest.mark.parametrize("decay, middle", [("cosine", 0.1 * 0.5 * (1 + np.cos(np.pi * 0.2))), ("linear", 0.08)])
def test_the_config_chooses(decay, middle):
    optimizer = make_optimizer(TrainingConfig(learning_rate=0.1, warmup_steps=4, decay=decay), 14)
    optimizer.iterations.assign(6)
    assert float(optimizer.learning_rate) == pytest.approx(middle)


def test_a_run_shorter_than_its_warmup_still_reaches_the_peak():
    schedule = WarmupCosine(peak=1.0, warmup_steps=1000, total_steps=20)
    values = [float(schedule(step)) for step in range(21)]
    assert max(values) == 1.0 and values[20] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("schedule", [WarmupCosine, WarmupLinear])
def test_survives_saving_with_its_optimizer(schedule):
    optimizer = keras.optimizers.AdamW(schedule(0.1, 4, 14))
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert float(restored.learning_rate) == float(optimizer.learning_rate) == pytest.approx(0.025)


def test_bad_arguments():
    with pytest.raises(ValueError, match="total_steps"):
        WarmupCosine(0.1, 4, 0)
