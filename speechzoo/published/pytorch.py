"""Reading PyTorch's checkpoints, the zip files of today and the streams of before 1.6, without PyTorch.

A zip file holds `NAME/data.pkl`, a pickle in which tensors name their data, and `NAME/data/KEY` with each of these. A
stream is five pickles (a number, the version of the format, what the machine was like, the object, the keys), and then
for each key its length as int64 and the data (`torch/serialization.py` of PyTorch 2.13, `_save` and `_legacy_save`).
"""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from speechzoo.published.array_file import MAXIMUM_RANK, ArrayFile, Place, size_of
from speechzoo.published.pickle_reading import STORAGES, Tensor, read_pickle
from speechzoo.published.zip_reading import members_of

# The first pickle of a stream: the protocol, and this number.
STREAM_NUMBER = 0x1950A86A20F9469CFC6C
STREAM_START = b"\x80\x02\x8a\x0a" + STREAM_NUMBER.to_bytes(10, "little")
_STREAM_VERSION = 1001
_DTYPES = dict(zip(STORAGES, (np.dtype("<f4"), np.dtype("<i8"), np.dtype("<f2"))))
# Checkpoints nest a few dictionaries.
_MAXIMUM_DEPTH = 8


class PyTorchFile(ArrayFile):
    """The tensors of a checkpoint; those in dictionaries are named `model_state_dict.encoder.conv1.weight`.

    float32, float16 and int64 are known. Numbers and texts between the tensors are in `values` under such names.

    Args:
        path: The file.
        open_file: Opens it where it is a part of another file.

    Raises:
        ValueError: No such file, truncated, damaged, or with anything in its pickle that weights don't need: the
            message names what a program would have been called.
    """

    kind = "PyTorch checkpoint"

    def __init__(self, path: str | Path, open_file: Callable[[], BinaryIO] | None = None):
        super().__init__(Path(path))
        self._open_file = open_file
        with self.open() as file:
            size = size_of(file)
            start = file.read(len(STREAM_START))
            file.seek(0)
            read = self._read_stream if start == STREAM_START else self._read_zip
            content, storages = read(file, size)
        self._flatten(content, "", storages, set())

    def open(self):
        return self._open_file() if self._open_file else super().open()

    def _read_zip(self, file, size):
        """The content of the pickle, and for each key its type, length and place."""
        members = members_of(file, size, self.damaged)
        pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise self.damaged(f"{len(pickles)} members data.pkl, where one was expected")
        folder = pickles[0].removesuffix("data.pkl")
        order = members.get(f"{folder}byteorder")
        if order:
            file.seek(order.offset)
            if order.size != len("little") or file.read(order.size) != b"little":
                raise self.damaged("its numbers are not little endian")
        file.seek(members[pickles[0]].offset)
        content = read_pickle(file, self.damaged)

        def place(storage):
            member = members.get(f"{folder}data/{storage.key}")
            if member is None:
                raise self.damaged(f"data '{storage.key[:80]}' is missing")
            if member.size != storage.length * _DTYPES[storage.type].itemsize:
                raise self.damaged(f"data '{storage.key}' has {member.size} bytes, where {storage.length} numbers of "
                                   f"{_DTYPES[storage.type].name} were expected")
            return member.offset

        return content, place

    def _read_stream(self, file, size):
        number, version, machine, content, keys = (read_pickle(file, self.damaged) for _ in range(5))
        if (number, version) != (STREAM_NUMBER, _STREAM_VERSION):
            raise self.damaged(f"version {str(version)[:20]} of the format, where {_STREAM_VERSION} is known")
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise self.damaged("its numbers are not little endian")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise self.damaged("its keys are no texts")
        storages = {}
        for tensor in _tensors(content):
            if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
                raise self.damaged(f"data '{tensor.storage.key[:80]}' has two types or lengths")
        if sorted(keys) != sorted(storages):
            raise self.damaged("its keys are not those of its tensors")
        offsets, position = {}, file.tell()
        for key in keys:
            length = file.read(8)
            if len(length) != 8 or struct.unpack("<q", length)[0] != storages[key].length:
                raise self.damaged(f"data '{key[:80]}' has another length than its tensors")
            offsets[key] = position + 8
            position += 8 + storages[key].length * _DTYPES[storages[key].type].itemsize
            if position > size:
                raise self.damaged(f"it ends inside of data '{key[:80]}'")
            file.seek(position)
        if position != size:
            raise self.damaged(f"{size - position} bytes follow its end")
        return content, lambda storage: offsets[storage.key]

    def _flatten(self, value, name, place, seen, depth=0):
        """Names the tensors, numbers and texts in dictionaries and lists; tuples hold settings of optimizers."""
        if isinstance(value, Tensor):
            self._add(name, self._place(name, value, place(value.storage)), self._places)
        elif isinstance(value, (dict, list)):
            # A dictionary that is in two places could be in a billion.
            if id(value) in seen or depth == _MAXIMUM_DEPTH:
                raise self.damaged(f"what is under '{name[:80]}' is there twice, or nested too deep")
            seen.add(id(value))
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                self._flatten(item, f"{name}.{key}" if name else str(key), place, seen, depth + 1)
        elif isinstance(value, (int, float, str)):
            self._add(name, value, self.values)

    def _add(self, name, value, target):
        if name in self._places or name in self.values:
            raise self.damaged(f"'{name[:80]}' is there twice")
        target[name] = value

    def _place(self, name, tensor, offset):
        dtype, shape, strides = _DTYPES[tensor.storage.type], tensor.shape, tensor.strides
        last = tensor.offset + sum((count - 1) * stride for count, stride in zip(shape, strides))
        if (len(shape) > MAXIMUM_RANK or 0 in shape or last >= tensor.storage.length
                or math.prod(shape) > tensor.storage.length):
            raise self.damaged(f"'{name[:80]}' has the shape {str(list(shape))[:80]} and {tensor.storage.length} "
                               "numbers")
        # The stride of an axis with one element says nothing, and may be any number.
        strides = tuple(stride * dtype.itemsize if count > 1 else 0 for count, stride in zip(shape, strides))
        return Place(shape, dtype, offset + tensor.offset * dtype.itemsize, strides)


def _tensors(content):
    """Every tensor in nested dictionaries, lists and tuples, each of which is looked into once."""
    found, waiting, seen = [], [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value
    return found
