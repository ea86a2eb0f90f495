"""Weights as HDF5: each variable under its Keras path, so that the order of layers doesn't matter.

The same file loads on every Keras backend. The states of random generators are no weights: they belong to a training
run (`speechzoo.training.checkpoint`).
"""

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import keras
import numpy as np

from speechzoo.files import write_atomically
from speechzoo.layers.lora import DOWN, UP, is_update, kernel_path

FORMAT_VERSION = 1
# In a file that Keras has written: which dataset is which variable, as JSON.
_PATHS = "speechzoo_paths"


@dataclass
class LoadReport:
    """What `load_weights` could not match, as Keras paths.

    Attributes:
        missing: Variables of the model that the file doesn't have; they keep their values.
        unexpected: Entries of the file that the model doesn't have.
        mismatched: Variables whose shape differs: "path: (file shape) in the file, (model shape) in the model".
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every variable was loaded and nothing was left over."""
        return not (self.missing or self.unexpected or self.mismatched)


def save_weights(model: keras.Model, path: str | Path, dtype: str = "float32"):
    """Writes the weights of `model`, batch-norm statistics and normalisation included, in one atomic step.

    Args:
        model: A built model of any Keras backend.
        path: File to write; what was there stays intact until the new file is complete.
        dtype: "float32" or "float16": how floating-point weights are stored.

    Raises:
        ValueError: Another dtype, or two variables that share a path.
        OSError: The file can't be written (no space, read-only).
    """
    write_arrays(path, model_values(model), dtype)


def load_weights(model: keras.Model, path: str | Path, strict: bool = True) -> LoadReport:
    """Reads weights that `save_weights` wrote into `model`.

    Args:
        model: A built model.
        path: The file.
        strict: Refuse, changing nothing, unless file and model match exactly; otherwise load what matches.

    Returns:
        What did not match.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged or no weights file, or (strict) doesn't match the model.
    """
    return assign_values(model, read_arrays(path), str(path), strict)


def model_values(model: keras.Model, merged: bool = True) -> dict[str, np.ndarray]:
    """The weights of `model`: Keras path -> array.

    Args:
        model: The model.
        merged: Low-rank updates are added to their kernels, so that nothing tells such a model from another; otherwise
            they are weights of their own.
    """
    values = {}
    for variable in _weights_of(model):
        if variable.path in values:
            raise ValueError(f"two variables of model '{model.name}' share the path '{variable.path}'; "
                             "give their layers different names")
        values[variable.path] = keras.ops.convert_to_numpy(variable)
    if merged:
        for path in [path for path in values if path.endswith(f"/{UP}")]:
            up, down = values.pop(path), values.pop(path.removesuffix(UP) + DOWN)
            kernel = values[kernel_path(path)]
            values[kernel_path(path)] = kernel + (down @ up).reshape(kernel.shape)
    return values


def assign_values(model: keras.Model, values: dict[str, np.ndarray], source: str, strict: bool = True) -> LoadReport:
    """Gives the weights of `model` new values; see `load_weights`. `source` names them in messages.

    Low-rank updates that aren't among the values are in their kernels, and become zero beside them.
    """
    variables = {variable.path: variable for variable in _weights_of(model)}
    updates = {path: variables.pop(path) for path in list(variables) if is_update(path) and path not in values}
    report = LoadReport(missing=[path for path in variables if path not in values],
                        unexpected=[path for path in values if path not in variables])
    matching = []
    for path, variable in variables.items():
        if path not in values:
            continue
        if tuple(variable.shape) != values[path].shape:
            report.mismatched.append(f"{path}: {values[path].shape} in the file, {tuple(variable.shape)} in the model")
        else:
            matching.append((variable, values[path]))
    if strict and not report.complete:
        found = [f"{len(paths)} {kind} (first: {paths[0]})" for kind, paths in
                 (("missing", report.missing), ("unexpected", report.unexpected),
                  ("of another shape", report.mismatched))
                 if paths]
        raise ValueError(f"{source} doesn't fit model '{model.name}': {', '.join(found)}; "
                         "load with strict=False to take what matches")
    for variable, value in matching:
        variable.assign(value.astype(variable.dtype))
    given = {variable.path for variable, _ in matching}
    for path, update in updates.items():
        if path.endswith(f"/{UP}") and kernel_path(path) in given:
            update.assign(np.zeros(update.shape, update.dtype))
    return report


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray], dtype: str = "float32"):
    """Writes named arrays (a "/" makes groups) as HDF5 with a digest of their contents, atomically."""
    if dtype not in ("float32", "float16"):
        raise ValueError(f"weights can't be stored as '{dtype}'; known: float16, float32")
    stored = {name: _cast(np.asarray(array), dtype) for name, array in arrays.items()}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _mark(file, stored)
        for name, array in stored.items():
            file.create_dataset(name, data=array)
    write_atomically(path, buffer.getbuffer())


def add_paths(path: str | Path, datasets: dict[str, str], dtype: str = "float32"):
    """Makes a file that Keras has written one that this module reads, too, by saying which variables it holds.

    Args:
        path: A `.weights.h5` file of Keras's.
        datasets: Path of each variable -> name of its dataset there.
        dtype: "float32" or "float16": how floating-point weights are stored; Keras reads either.
    """
    variables, buffer = {name: variable for variable, name in datasets.items()}, io.BytesIO()
    with h5py.File(path, "r") as source, h5py.File(buffer, "w") as file:
        stored = {}

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                array = item[()]
                if name in variables:
                    array = stored[variables[name]] = _cast(array, dtype)
                copied = file.create_dataset(name, data=array)
            else:
                copied = file.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        file.attrs.update(source.attrs)
        file.create_dataset(_PATHS, data=np.frombuffer(json.dumps(datasets).encode(), np.uint8))
        _mark(file, stored)
    write_atomically(path, buffer.getbuffer())


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads what `write_arrays` wrote.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Truncated, damaged, or another kind of file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    arrays = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} lies in another file")
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            file.visititems(take)
        if _PATHS in arrays:
            names = json.loads(arrays[_PATHS].tobytes())
            arrays = {name: arrays[dataset] for name, dataset in names.items()}
    # What h5py raises depends on which of its structures the damage hits.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: truncated, damaged or no weights file ({' '.join(str(error).split())[:120]}); "
                         "fetch or save it again") from None
    if attributes.get("format") != "speechzoo":
        raise ValueError(f"{path}: not a speechzoo weights file (HDF5, but without its mark)")
    if attributes.get("version") != FORMAT_VERSION:
        raise ValueError(f"{path}: written in format version {attributes.get('version')}, this speechzoo reads "
                         f"{FORMAT_VERSION}; update speechzoo")
    if attributes.get("sha256") != _digest(arrays):
        raise ValueError(f"{path}: damaged, its contents don't match its digest; fetch or save it again")
    return arrays


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_of(model):
    """The weights of a model, without those of its penalties, which belong to a training run."""
    others = {id(weight) for penalty in getattr(model, "penalties", ()) for weight in penalty.weights}
    return [weight for weight in model.weights if id(weight) not in others]


def _mark(file, stored):
    """Says that an HDF5 file is one of ours, and what is in it."""
    file.attrs["format"] = "speechzoo"
    file.attrs["version"] = FORMAT_VERSION
    file.attrs["sha256"] = _digest(stored)


def _cast(array, dtype):
    if dtype == "float16" and array.dtype == np.float32:
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        # A value beyond float16's range (65504) would come back infinite: such an array stays float32.
        return half if np.isfinite(half).all() or not np.isfinite(array).all() else array
    return array


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
