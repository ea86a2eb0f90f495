"""Reading safetensors files with the package of that name, which checks their structure before anything is read."""

from pathlib import Path

import numpy as np

from speechzoo.published.array_file import ArrayFile, Place

# Those of NumPy; bfloat16 and the eight-bit ones are not among them.
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
           "BOOL": "?"}


class SafetensorsFile(ArrayFile):
    """The tensors of a safetensors file; the texts that its header keeps beside them are in `values`.

    Args:
        path: The file.

    Raises:
        ModuleNotFoundError: The package isn't installed; the message says how to.
        ValueError: No such file, truncated, damaged, tensors that overlap, or of a type that NumPy doesn't have.
    """

    kind = "safetensors file"

    def __init__(self, path: str | Path):
        super().__init__(Path(path))
        try:
            from safetensors import SafetensorError, safe_open
        except ModuleNotFoundError:
            raise ModuleNotFoundError("safetensors files are read by a package that isn't installed: pip install "
                                      "speechzoo[hub]") from None
        self._open_tensors, self._error = safe_open, SafetensorError
        try:
            with safe_open(self.path, framework="numpy") as file:
                self.values = dict(file.metadata() or {})
                for name in file.keys():
                    tensor = file.get_slice(name)
                    self._add(name, tensor.get_dtype(), tuple(tensor.get_shape()))
        except (SafetensorError, OSError, OverflowError) as error:
            raise self.damaged(" ".join(str(error).split())[:160]) from None

    def _add(self, name, dtype, shape):
        if dtype not in _DTYPES:
            raise self.damaged(f"'{name[:80]}' is {dtype}, where {', '.join(_DTYPES)} are known")
        self._places[name] = Place(shape, np.dtype(_DTYPES[dtype]), 0)

    def __getitem__(self, name):
        place = self._places[name]
        try:
            with self._open_tensors(self.path, framework="numpy") as file:
                array = file.get_tensor(name)
        except (self._error, OSError):
            raise ValueError(f"{self.path}: changed since it was opened; fetch it again") from None
        if array.shape != place.shape:
            raise ValueError(f"{self.path}: changed since it was opened; fetch it again")
        return array
