"""Opening a file of weights, whatever its kind: by what is in it, not by its name."""

import struct
import zipfile
from pathlib import Path

from speechzoo.published.array_file import ArrayFile
from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.keras_file import HDF5_START, KerasFile
from speechzoo.published.nemo import NeMoFile
from speechzoo.published.pytorch import STREAM_START, PyTorchFile
from speechzoo.published.safetensors import SafetensorsFile
from speechzoo.published.tar_reading import GZIP_START

KNOWN = "safetensors, PyTorch, NeMo, CTranslate2 and Keras"
_START_BYTES = 512


def open_weights(path: str | Path) -> ArrayFile:
    """The arrays of a file of weights: {name: array}, each read when it is asked for.

    Args:
        path: A file of safetensors, PyTorch (zip or stream), NeMo, CTranslate2 or Keras (`.keras`, `.h5`).

    Raises:
        FileNotFoundError: No such file.
        ModuleNotFoundError: A package is needed that isn't installed.
        ValueError: Another kind of file, truncated, damaged or hostile; the message says what and where.

    Example:
        arrays = open_weights("tiny.en.pt")
        arrays["model_state_dict.encoder.conv1.weight"]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, "rb") as file:
        start = file.read(_START_BYTES)
    reader = _reader(path, start)
    if reader is None:
        raise ValueError(f"{path}: no file of weights that is known: {KNOWN}")
    return reader(path)


def _reader(path, start):
    if start.startswith(b"PK\3\4"):
        return KerasFile if _has_keras_member(path) else PyTorchFile
    if start.startswith(STREAM_START):
        return PyTorchFile
    if start.startswith(HDF5_START):
        return KerasFile
    if start.startswith(GZIP_START) or start[257:262] == b"ustar":
        return NeMoFile
    if start[8:9] == b"{":
        return SafetensorsFile
    if len(start) >= 6 and struct.unpack("<I", start[:4])[0] < 100 and struct.unpack("<H", start[4:6])[0] < 256:
        return CTranslate2File
    return None


def _has_keras_member(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return "model.weights.h5" in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError, struct.error):
        return False
