import errno
import os

import keras
import numpy as np
import pytest

from speechzoo.training.averaging import average_files, averaged_weights
from speechzoo.training.checkpoint import (FILE_NAME, PREVIOUS_NAME, RunState, load_checkpoint, remove_checkpoints,
                                           save_checkpoint)
from speechzoo.weights import model_values, read_arrays, write_arrays

INPUTS = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
TARGETS = INPUTS.sum(axis=1, keepdims=True)


def compiled_model(units=4, seed=1):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,), name="inputs")
    hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(units, name="body")(inputs))
    hidden = keras.layers.Dropout(0.5, name="dropout")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(hidden), name="small")
    model.compile(keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.7), loss="mse",
                  jit_compile=False)
    return model


def assert_equal_weights(first, second):
    for name, value in model_values(first).items():
        np.testing.assert_array_equal(model_values(second)[name], value, err_msg=name)


def test_training_goes_on_exactly(tmp_path):
    model = compiled_model()
    model.train_on_batch(INPUTS, TARGETS)
    state = RunState("data", step=1, epoch=2, batch=3, best=0.5, best_step=1, without_improvement=1,
                     evaluations=[{"step": 1, "epoch": 0, "loss": 0.5}])
    save_checkpoint(tmp_path, model, state)
    restored = compiled_model(seed=2)
    assert load_checkpoint(tmp_path, restored) == state
    for each in (model, restored):
        for _ in range(3):
            each.train_on_batch(INPUTS, TARGETS)
    assert_equal_weights(model, restored)
    with averaged_weights(model), averaged_weights(restored):
        assert_equal_weights(model, restored)


def test_moving_averages_follow_their_formula():
    model = compiled_model()
    kernel = model.get_layer("body").kernel
    expected = None
    for _ in range(4):
        model.train_on_batch(INPUTS, TARGETS)
        # Keras starts the average at the weights of the first step.
        expected = kernel.numpy() if expected is None else 0.7 * expected + 0.3 * kernel.numpy()
    before = model_values(model)
    with averaged_weights(model):
        np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-5)
        assert np.abs(kernel.numpy() - before["body/kernel"]).max() > 1e-3
    np.testing.assert_array_equal(kernel.numpy(), before["body/kernel"])


def test_average_of_files(tmp_path):
    for number in (1, 2, 6):
        write_arrays(tmp_path / f"{number}.h5", {"a/b": np.full((2,), number, np.float32), "count": np.int64(number)})
    average_files([tmp_path / f"{number}.h5" for number in (1, 2, 6)], tmp_path / "mean.h5")
    mean = read_arrays(tmp_path / "mean.h5")
    np.testing.assert_array_equal(mean["a/b"], [3.0, 3.0])
    assert mean["a/b"].dtype == np.float32 and mean["count"] == 6


def test_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path, compiled_model()) is None


def test_the_previous_one_is_used_when_the_last_is_damaged_or_gone(tmp_path):
    model = compiled_model()
    for step in (1, 2):
        save_checkpoint(tmp_path, model, RunState(step=step))
    assert load_checkpoint(tmp_path, model).step == 2
    (tmp_path / FILE_NAME).write_bytes((tmp_path / FILE_NAME).read_bytes()[:1000])
    assert load_checkpoint(tmp_path, model).step == 1
    (tmp_path / FILE_NAME).unlink()
    assert load_checkpoint(tmp_path, model).step == 1
    (tmp_path / PREVIOUS_NAME).write_bytes(b"")
    with pytest.raises(ValueError, match="truncated, damaged"):
        load_checkpoint(tmp_path, model)
    remove_checkpoints(tmp_path)
    assert load_checkpoint(tmp_path, model) is None


def test_another_model_is_refused(tmp_path):
    save_checkpoint(tmp_path, compiled_model(), RunState())
    with pytest.raises(ValueError, match="belongs to another model"):
        load_checkpoint(tmp_path, compiled_model(units=5))


def test_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    model = compiled_model()
    save_checkpoint(tmp_path, model, RunState(step=1))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(tmp_path, model, RunState(step=2))
    assert load_checkpoint(tmp_path, model).step == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
