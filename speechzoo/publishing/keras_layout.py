"""The folder that Keras makes of a model, with weights that both Keras and this package read."""

import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np

from speechzoo.files import write_atomically
from speechzoo.weights import add_paths, assign_values, model_values

WEIGHTS = "model.weights.h5"
FILES = ("config.json", "metadata.json", WEIGHTS)
"""`FILES` are those that `keras.saving.load_model(folder)` reads."""


def save_keras_layout(model: keras.Model, folder: str | Path):
    """Writes a model so that `keras.saving.load_model(folder)` and `speechzoo.weights` read the same file of weights.

    Weights that float16 holds exactly, as those of the zoo and of many published models, are stored so.

    Args:
        model: A `MultiTaskModel`. Its weights are other ones for a moment.
        folder: Folder to write to, made when it isn't there.

    Raises:
        OSError: It can't be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        keras.saving.save_model(model, Path(scratch) / "model", zipped=False)
        datasets = _datasets(model, Path(scratch) / "numbers.weights.h5")
        exact = all(_fits_float16(value) for value in model_values(model).values())
        add_paths(Path(scratch) / "model" / WEIGHTS, datasets, "float16" if exact else "float32")
        for name in FILES:
            write_atomically(Path(folder) / name, (Path(scratch) / "model" / name).read_bytes())


def _datasets(model, path) -> dict[str, str]:
    """Path of each variable -> name of the dataset that Keras writes it to.

    Keras names datasets after attributes of layers, by rules of its own. So every variable gets a number and a half for
    a value, which no state of a random generator is, and is found by it in what Keras writes.
    """
    values = model_values(model)
    paths = list(values)
    try:
        numbers = {name: np.full(values[name].shape, number + 0.5) for number, name in enumerate(paths)}
        assign_values(model, numbers, "numbers")
        model.save_weights(path)
    finally:
        assign_values(model, values, "model")
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset) and float(np.ravel(item[()])[0]) % 1 == 0.5:
            found[paths[int(np.ravel(item[()])[0])]] = name

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return {name: found[name] for name in paths}


def _fits_float16(value) -> bool:
    if value.dtype != np.float32:
        return True
    with np.errstate(over="ignore"):
        return bool((value.astype(np.float16).astype(np.float32) == value).all())
