"""The reader of Keras's files against Keras's own writer, and HDF5 files that are damaged or hostile."""

import zipfile

import h5py
import keras
import numpy as np
import pytest

from speechzoo.published.keras_file import KerasFile
from tests.published.refusal import refused


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="one"), keras.layers.Dense(2, name="two")])


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5"])
def test_reads_what_keras_writes(model, name, tmp_path):
    (model.save_weights if name.endswith("h5") else model.save)(tmp_path / name)
    file = KerasFile(tmp_path / name)
    assert len(file) == 4 and file.shape("layers/dense/vars/0") == (4, 3)
    for layer, found in zip(model.layers, ("dense", "dense_1")):
        for number, weight in enumerate(layer.get_weights()):
            np.testing.assert_array_equal(file[f"layers/{found}/vars/{number}"], weight)


def written(folder, fill):
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file["weight"] = np.ones((2, 3), np.float32)
        fill(file)
    return path


def external(file):
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def check_refused(path, message="Keras"):
    refused(KerasFile, path, message)


@pytest.mark.parametrize("fill, message", [
    (external, "'x' lies in another file"),
    (virtual, "'x' lies in another file"),
    # nothing of it is in the file; read, it would be 4 TB
    (lambda file: file.create_dataset("x", (10**12,), "f4", chunks=(1000,)), r"the shape \[1000000000000\] in 0 bytes"),
    (lambda file: file.create_dataset("x", data=np.zeros(10**6), compression="gzip"), "has the shape"),
    (lambda file: file.create_dataset("x", data=["text"], dtype=h5py.string_dtype()), "'x' has no numbers"),
    (lambda file: file.create_dataset("x", data=h5py.Empty("f4")), "'x' has no numbers"),
    (lambda file: file.create_dataset("x", data=np.zeros((1,) * 9)), "'x' has no numbers"),
])
def test_what_a_file_must_not_hold(fill, message, tmp_path):
    check_refused(written(tmp_path, fill), message)


def test_links_to_elsewhere_are_not_followed(tmp_path):
    def fill(file):
        file["out"], file["round"] = h5py.ExternalLink("/etc/other.h5", "/"), h5py.SoftLink("/")
        file["group"] = file["/"]

    assert list(KerasFile(written(tmp_path, fill))) == ["weight"]


def test_an_archive_without_weights_or_with_a_bomb(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    check_refused(path, "has no model.weights.h5")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(30_000_000))
    check_refused(path, "is compressed or encrypted")


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5"])
def test_a_file_cut_anywhere_is_one_line(model, name, tmp_path):
    path = tmp_path / name
    (model.save_weights if name.endswith("h5") else model.save)(path)
    data = path.read_bytes()
    for length in (*range(0, len(data), len(data) // 10), len(data) - 1):
        path.write_bytes(data[:length])
        check_refused(path)


def test_a_file_that_changes_while_it_is_used(tmp_path):
    path = written(tmp_path, lambda file: None)
    file = KerasFile(path)
    path.unlink()
    with h5py.File(path, "w") as other:
        other["weight"] = np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match="changed since it was opened"):
        file["weight"]
