"""Files of what a device has learnt: plain arrays in NumPy's .npz, tagged with the model that they belong to."""

import io
import zipfile
from pathlib import Path

import numpy as np

from speechzoo.files import write_arrays_atomically

FORMAT = 1
MAXIMUM_BYTES = 16 << 20
# A file fits a model that hears one fixed sound as the model did that it was learnt with. Quantized files of one model
# are that near to each other; the embeddings of two models have nothing to do with each other.
_MINIMUM_COSINE = 0.9


class LearntFileError(ValueError):
    """A file of voices or words that can't be used with this model; the message names it and says why."""


def probe_sound(sample_rate: int) -> np.ndarray:
    """The fixed sound: float32 (samples,), a second of a buzz that rises and falls."""
    time = np.arange(sample_rate) / sample_rate
    phase = 2 * np.pi * np.cumsum(150 + 100 * np.sin(2 * np.pi * 2 * time)) / sample_rate
    return (0.1 * sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 16))).astype(np.float32)


def write_learnt(path: str | Path, kind: str, model: str, probe: np.ndarray, arrays: dict[str, np.ndarray]):
    """Writes what has been learnt; a full disk or a power cut leaves what was there.

    Args:
        path: The file.
        kind: What it holds: `voices` or `words`.
        model: Name of the model that it was learnt with.
        probe: The model's embedding of `probe_sound`.
        arrays: Name -> numbers or texts.

    Raises:
        OSError: It can't be written; the error names `path`.
    """
    write_arrays_atomically(path, format=FORMAT, kind=kind, model=model, probe=probe, **arrays)


def read_learnt(path: str | Path, kind: str, probe: np.ndarray, shapes: dict[str, tuple]) -> dict[str, np.ndarray]:
    """Reads what `write_learnt` wrote.

    Args:
        path: The file.
        kind: What it shall hold.
        probe: The embedding of `probe_sound` by the model that it is for.
        shapes: Name -> shape of each array; a letter is any size, the same wherever it stands.

    Raises:
        LearntFileError: Another kind of file, a damaged one, or what another model has learnt.
        OSError: It can't be read.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAXIMUM_BYTES:
                raise zipfile.BadZipFile
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if archive["format"] != FORMAT:
                raise LearntFileError(f"{path}: written for another version of speechzoo (format {archive['format']})")
            holds, model, saved = str(archive["kind"]), str(archive["model"]), archive["probe"]
            arrays = {name: archive[name] for name in shapes} if holds == kind else {}
    except (zipfile.BadZipFile, KeyError, EOFError, ValueError, NotImplementedError) as error:
        if isinstance(error, LearntFileError):
            raise
        raise LearntFileError(f"{path}: no file of {kind}, or a damaged one; save it again") from None
    if holds != kind:
        raise LearntFileError(f"{path}: holds {holds}, not {kind}")
    if saved.shape != probe.shape or not float(saved @ probe) >= _MINIMUM_COSINE:
        raise LearntFileError(f"{path}: learnt with another model ('{model}'); learn the {kind} again with this one")
    sizes = {}
    for name, shape in shapes.items():
        found = arrays[name].shape
        if len(found) != len(shape) or any(sizes.setdefault(want, got) != got if isinstance(want, str) else want != got
                                           for want, got in zip(shape, found)):
            raise LearntFileError(f"{path}: its '{name}' of shape {found} don't fit; learn the {kind} again")
    return arrays
