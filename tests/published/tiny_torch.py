"""Checkpoints written by PyTorch: the committed `torch_zip.pt` and `torch_stream.pt`, and what they hold.

    python -m tests.published.tiny_torch

writes them again.
"""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.published.test_pickle_reading import ORDERED, storage, tensor, text

ZIP, STREAM = (Path(__file__).with_name(f"torch_{kind}.pt") for kind in ("zip", "stream"))
VALUES = {"dims.n_mels": 80, "dims.rate": 0.5, "name": "tiny", "steps.0": 3, "steps.1": True}


def expected() -> dict[str, np.ndarray]:
    """Name -> array, made without PyTorch."""
    table = np.arange(24, dtype=np.float32).reshape(4, 6) / 7
    return {
        "model_state_dict.float.weight": table,
        "model_state_dict.half.weight": np.linspace(-3, 3, 10).astype(np.float16),
        "model_state_dict.whole": np.array([[2**40, -5]], np.int64),
        "model_state_dict.number": np.array(7, np.int64),
        "model_state_dict.transposed": table.T,
        "model_state_dict.shared": table[1:3, 2:],
        "model_state_dict.one.row": table[3:4],
    }


def checkpoint():
    """The same out of PyTorch's tensors; some share their numbers."""
    import collections

    import torch

    arrays = {name.removeprefix("model_state_dict."): array for name, array in expected().items()}
    table = torch.tensor(arrays["float.weight"])
    views = {"float.weight": table, "transposed": table.T, "shared": table[1:3, 2:], "one.row": table[3:4]}
    state = collections.OrderedDict(
        (name, views[name] if name in views else torch.tensor(array)) for name, array in arrays.items())
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return {"dims": {"n_mels": 80, "rate": 0.5}, "name": "tiny", "steps": [3, True], "nothing": None,
            "betas": (0.9, 0.99), "model_state_dict": state}


def zip_checkpoint(arrays, before: bytes = b"") -> bytes:
    """A dictionary of float32, float16 and int64 arrays as `torch.save` writes it, made without PyTorch.

    Args:
        arrays: Name -> array.
        before: What the pickle holds before the dictionary; "uu." closes it then, "u." otherwise.
    """
    def number(value):
        return b"J" + struct.pack("<i", value)

    items, data = b"", []
    for name, array in arrays.items():
        array = np.asarray(array, order="C")
        kind = {"f4": b"FloatStorage", "f2": b"HalfStorage", "i8": b"LongStorage"}[array.dtype.str[1:]]
        place = storage(kind, str(len(data)).encode(), number(array.size))
        shape, strides = (b"(" + b"".join(map(number, values)) + b"t"
                          for values in (array.shape, [stride // array.itemsize for stride in array.strides]))
        items += text(name.encode()) + tensor(place, shape=shape, strides=strides)
        data.append(array.tobytes())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\2" + before + ORDERED + b"(" + items + (b"uu." if before else b"u."))
        for key, numbers in enumerate(data):
            archive.writestr(f"a/data/{key}", numbers)
    return file.getvalue()


def write_checkpoint(path: Path, stream: bool):
    """Writes the checkpoint as PyTorch does, as a zip file or as the stream of old."""
    import torch

    torch.save(checkpoint(), path, _use_new_zipfile_serialization=not stream)


if __name__ == "__main__":
    for target in (ZIP, STREAM):
        write_checkpoint(target, target == STREAM)
