import keras
import numpy as np
import pytest

from speechzoo.training.schedule import WarmupCosine


def test_values():
    schedule = WarmupCosine(peak=0.1, warmup_steps=4, total_steps=14)
    steps = np.arange(16)
    expected = np.where(steps < 4, 0.1 * (steps + 1) / 4, 0.05 * (1 + np.cos(np.pi * np.clip((steps - 4) / 10, 0, 1))))
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected, atol=1e-8)


def test_a_run_shorter_than_its_warmup_still_reaches_the_peak():
    schedule = WarmupCosine(peak=1.0, warmup_steps=1000, total_steps=20)
    values = [float(schedule(step)) for step in range(21)]
    assert max(values) == 1.0 and values[20] == pytest.approx(0, abs=1e-7)


def test_survives_saving_with_its_optimizer():
    optimizer = keras.optimizers.AdamW(WarmupCosine(0.1, 4, 14))
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert float(restored.learning_rate) == float(optimizer.learning_rate) == pytest.approx(0.025)


def test_bad_arguments():
    with pytest.raises(ValueError, match="total_steps"):
        WarmupCosine(0.1, 4, 0)
