"""What a model has learnt beside its base, as a small file: low-rank updates of kernels, and heads of its own."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.registry import find_weights, load, read_config
from speechzoo.weights import assign_values, model_values, read_arrays, write_arrays

_ABOUT, _LEFT, _RIGHT, _WHOLE = "adapter", "left", "right", "whole"
# Singular values below it, times the norm of the kernel, are rounding.
_TOLERANCE = 1e-6


@dataclass
class AdapterReport:
    """What went into an adapter.

    Attributes:
        path: Its file.
        bytes: Size of the file.
        ranks: Path of a kernel -> rank of its update.
        whole: Paths of the weights that are in it as they are: those of new heads, and what changed otherwise.
    """

    path: Path
    bytes: int
    ranks: dict[str, int]
    whole: list[str]


def save_adapter(tuned: str | Path, base: str | Path, path: str | Path) -> AdapterReport:
    """Writes what a model has beside its base.

    Of a run with `training.lora` these are the low-rank updates and the heads that trained; of any other whatever
    changed, as small as it can be kept.

    Args:
        tuned: Folder of a run or of `speechzoo.save`.
        base: What it started from: name of a zoo model, or folder of another run.
        path: The file to write.

    Raises:
        FileNotFoundError: No such run or model.
        ValueError: One of the two is damaged.

    Example:
        save_adapter("runs/kitchen", "mtl_whisper_tiny", "kitchen.h5")
        model = load_adapted("mtl_whisper_tiny", "kitchen.h5")
    """
    old, new = read_arrays(find_weights(base)), read_arrays(find_weights(tuned))
    arrays, digests, ranks = {}, {}, {}
    for name, value in new.items():
        before = old.get(name)
        if before is not None and before.shape == value.shape:
            if np.array_equal(before.astype(value.dtype), value):
                continue
            digests[name] = _digest(before)
            factors = _factors(before, value) if name.endswith("/kernel") else None
            if factors is not None:
                ranks[name] = factors[0].shape[1]
                arrays[f"{_LEFT}/{name}"], arrays[f"{_RIGHT}/{name}"] = factors
                continue
        arrays[f"{_WHOLE}/{name}"] = value
    heads = {name: dataclasses.asdict(head) for name, head in read_config(tuned).heads.items()}
    about = {"heads": heads, "base": digests}
    write_arrays(path, {**arrays, _ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)})
    whole = [name.removeprefix(f"{_WHOLE}/") for name in arrays if name.startswith(f"{_WHOLE}/")]
    return AdapterReport(Path(path), Path(path).stat().st_size, ranks, whole)


def load_adapted(base: str | Path, path: str | Path):
    """A model with an adapter: the updates are in its kernels, so that it runs, saves and exports as any other.

    Args:
        base: The model that the adapter is for; it stays as it is.
        path: File that `save_adapter` wrote.

    Raises:
        ValueError: The file is damaged or no adapter, or the adapter is for another base.
    """
    arrays = read_arrays(path)
    if _ABOUT not in arrays:
        raise ValueError(f"{path}: no adapter; give a file that save_adapter wrote")
    about = json.loads(arrays.pop(_ABOUT).tobytes())
    model = load(base, heads=about["heads"])
    values, given = model_values(model), {}
    for name, digest in about["base"].items():
        if name in values and _digest(values[name]) != digest:
            raise ValueError(f"{path}: is for another model than {base}: {name} differs; load the model that it was "
                             "made for")
    for key, value in arrays.items():
        kind, _, name = key.partition("/")
        if kind == _LEFT and name in values:
            given[name] = values[name] + (value @ arrays[f"{_RIGHT}/{name}"]).reshape(values[name].shape)
        elif kind == _WHOLE and name in values:
            given[name] = value
    report = assign_values(model, given, str(path), strict=False)
    lacking = [name for name in model.new_weights if name in report.missing]
    if report.mismatched or lacking:
        raise ValueError(f"{path}: doesn't fit {base}: {(report.mismatched or lacking)[0]}")
    model.new_weights = []
    return model


def _factors(before, after):
    """Two matrices whose product is a kernel's change, if they are smaller than it: float32 (rows, rank) and (rank,
    columns). How the axes were split into rows and columns is for the smallest to say."""
    change = after.astype(np.float64) - before
    least = _TOLERANCE * np.linalg.norm(after)
    best, size = None, change.size
    for axis in range(1, change.ndim):
        rows = int(np.prod(change.shape[:axis]))
        left, values, right = np.linalg.svd(change.reshape(rows, -1), full_matrices=False)
        rank = max(int(np.sum(values > least)), 1)
        if rank * (left.shape[0] + right.shape[1]) < size:
            best = (left[:, :rank] * values[:rank]).astype(np.float32), right[:rank].astype(np.float32)
            size = rank * (left.shape[0] + right.shape[1])
    return best


def _digest(array):
    return hashlib.sha256(np.ascontiguousarray(array, np.float32).tobytes()).hexdigest()
