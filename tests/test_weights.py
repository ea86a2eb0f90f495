import errno
import hashlib
import os

import h5py
import keras
import numpy as np
import pytest

from speechzoo.weights import load_weights, model_values, read_arrays, save_weights, sha256_of


def small_model(units=4, head="head", seed=1):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,), name="inputs")
    hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(units, name="body")(inputs))
    hidden = keras.layers.Dropout(0.5, name="dropout")(hidden)
    return keras.Model(inputs, keras.layers.Dense(2, name=head)(hidden), name="small")


@pytest.fixture
def saved(tmp_path):
    model = small_model()
    model.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    path = tmp_path / "model.weights.h5"
    save_weights(model, path)
    return model, path


def test_every_weight_comes_back_under_its_path(saved):
    model, path = saved
    assert sorted(read_arrays(path)) == sorted(
        ["body/kernel", "body/bias", "head/kernel", "head/bias", "norm/gamma", "norm/beta", "norm/moving_mean",
         "norm/moving_variance"])
    other = small_model(seed=2)
    assert load_weights(other, path).complete
    for name, value in model_values(model).items():
        np.testing.assert_array_equal(model_values(other)[name], value)


def test_float16_halves_the_floats_and_keeps_what_it_cannot_hold(tmp_path):
    model = small_model()
    model.get_layer("norm").moving_variance.assign([1e6, 1.0, 1.0, 1.0])
    save_weights(model, tmp_path / "half.h5", "float16")
    with h5py.File(tmp_path / "half.h5") as file:
        assert file["body/kernel"].dtype == np.float16
        assert file["norm/moving_variance"].dtype == np.float32
    other = small_model(seed=2)
    load_weights(other, tmp_path / "half.h5")
    assert other.get_layer("norm").moving_variance.numpy()[0] == 1e6
    np.testing.assert_allclose(model_values(other)["body/kernel"], model_values(model)["body/kernel"], rtol=1e-3)
    with pytest.raises(ValueError, match="float64"):
        save_weights(model, tmp_path / "double.h5", "float64")


def test_strict_refuses_and_changes_nothing(saved):
    other = small_model(units=5, head="other", seed=2)
    before = model_values(other)
    message = "doesn't fit model 'small'.*missing.*other/.*unexpected.*head/.*shape.*body/kernel"
    with pytest.raises(ValueError, match=message):
        load_weights(other, saved[1])
    for name, value in model_values(other).items():
        np.testing.assert_array_equal(value, before[name])


def test_not_strict_loads_what_matches_and_reports_the_rest(saved):
    other = small_model(head="other", seed=2)
    report = load_weights(other, saved[1], strict=False)
    assert sorted(report.missing) == ["other/bias", "other/kernel"]
    assert sorted(report.unexpected) == ["head/bias", "head/kernel"]
    assert not report.mismatched and not report.complete
    np.testing.assert_array_equal(other.get_layer("body").kernel.numpy(), saved[0].get_layer("body").kernel.numpy())


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_truncated_file_is_named_in_one_line(saved, kept):
    data = saved[1].read_bytes()
    saved[1].write_bytes(data[:int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match="model.weights.h5: truncated, damaged") as raised:
        load_weights(saved[0], saved[1])
    assert "\n" not in str(raised.value)


def test_one_changed_bit_is_found(saved):
    data = bytearray(saved[1].read_bytes())
    place = bytes(data).index(saved[0].get_layer("body").kernel.numpy().tobytes())
    data[place + 5] ^= 1
    saved[1].write_bytes(data)
    with pytest.raises(ValueError, match="don't match its digest"):
        load_weights(saved[0], saved[1])


def test_other_files_are_refused(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.h5: no such weights file"):
        load_weights(saved[0], tmp_path / "nowhere.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(ValueError, match="no weights file"):
        load_weights(saved[0], tmp_path / "text.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(ValueError, match="not a speechzoo weights file"):
        load_weights(saved[0], tmp_path / "foreign.h5")


def test_full_disk_leaves_the_old_file(saved, monkeypatch):
    before = saved[1].read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_weights(small_model(seed=2), saved[1])
    assert saved[1].read_bytes() == before
    assert [path.name for path in saved[1].parent.iterdir()] == [saved[1].name]


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
