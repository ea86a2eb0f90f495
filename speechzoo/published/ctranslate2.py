"""Reading `model.bin`, the weights of a CTranslate2 model, with NumPy alone.

Little endian: uint32 version of the format, name of the specification, uint32 revision of it, uint32 number of
variables; each variable: name, uint8 rank, that many uint32 dimensions, uint8 data type, uint32 bytes, data; uint32
number of aliases; each alias: name, name of the variable that it stands for. A name is uint16 bytes, of which the last
is zero (CTranslate2 4.8, python/ctranslate2/specs/model_spec.py, `ModelSpec._serialize`).
"""

import math
import struct
from pathlib import Path

import numpy as np

from speechzoo.published.array_file import MAXIMUM_RANK, ArrayFile, Place, damaged

FILE = "model.bin"
FORMAT_VERSION = 6
# By number; 5 is bfloat16, which NumPy doesn't have.
_DTYPES = [np.dtype(name) for name in ("<f4", "i1", "<i2", "<i4", "<f2")]
# Names of such files have some 60 bytes; more is damage.
_MAXIMUM_NAME_BYTES = 1000


class CTranslate2File(ArrayFile):
    """The arrays of a `model.bin` by name, each read from the file when it is asked for; an alias is a name too.

    The whole structure is checked against the size of the file when it is opened, so that a damaged or hostile file
    never makes it take memory that the file doesn't fill.

    Args:
        path: The file, or the folder that holds it.

    Attributes:
        specification: Kind of model, such as `WhisperSpec`.
        revision: Revision of the specification.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not such a file, another version of the format, truncated or damaged; the message says what to do.
    """

    kind = "CTranslate2 model"

    def __init__(self, path: str | Path):
        path = Path(path)
        super().__init__(path / FILE if path.is_dir() else path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: no such file; give the {FILE} of a CTranslate2 model or the folder "
                                    "that holds it")
        with open(self.path, "rb") as file:
            reader = _Reader(file, self.path)
            self.specification, self.revision = _read_header(reader)
            self._places = _read_variables(reader)
            self._places |= _read_aliases(reader, self._places)
            if reader.left:
                raise reader.damaged(f"{reader.left} bytes follow its end")


class _Reader:
    """Reads the fields of the file, never past its end."""

    def __init__(self, file, path):
        self._file, self._path = file, path
        self._file.seek(0, 2)
        self.left = self._file.tell()
        self._file.seek(0)

    def damaged(self, problem):
        return damaged(self._path, CTranslate2File.kind, problem)

    def bytes(self, count, what):
        if count > self.left:
            raise self.damaged(f"it ends inside of {what}")
        self.left -= count
        return self._file.read(count)

    def skip(self, count, what):
        """The place of the next `count` bytes, which are passed over."""
        if count > self.left:
            raise self.damaged(f"it ends inside of {what}")
        self.left -= count
        offset = self._file.tell()
        self._file.seek(count, 1)
        return offset

    def number(self, kind, what):
        return struct.unpack(f"<{kind}", self.bytes(struct.calcsize(f"<{kind}"), what))[0]

    def count(self, smallest, what):
        """A number of entries of at least `smallest` bytes each, as many as the file has room for."""
        count = self.number("I", f"the number of {what}")
        if count * smallest > self.left:
            raise self.damaged(f"it promises {count} {what}, more than it has room for")
        return count

    def name(self, what):
        length = self.number("H", what)
        if not 2 <= length <= _MAXIMUM_NAME_BYTES:
            raise self.damaged(f"{what} has {length} bytes")
        try:
            name = self.bytes(length, what).decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged(f"{what} is no text") from None
        if name.find("\0") != len(name) - 1 or not name[:-1].isprintable():
            raise self.damaged(f"{what} is no text")
        return name[:-1]


def _read_header(reader):
    version = reader.number("I", "the version")
    if version != FORMAT_VERSION:
        raise reader.damaged(f"version {version} of the format, where {FORMAT_VERSION} is known")
    return reader.name("the name of the model"), reader.number("I", "the revision")


def _read_variables(reader):
    variables = {}
    for number in range(reader.count(2 + 2 + 1 + 1 + 4, "variables")):
        name = reader.name(f"the name of variable {number + 1}")
        if name in variables:
            raise reader.damaged(f"'{name}' is there twice")
        rank = reader.number("B", f"'{name}'")
        if rank > MAXIMUM_RANK:
            raise reader.damaged(f"'{name}' has {rank} axes")
        shape = struct.unpack(f"<{rank}I", reader.bytes(4 * rank, f"'{name}'"))
        dtype = _dtype(reader, name)
        size = reader.number("I", f"'{name}'")
        # Python's integers don't overflow, so no product of dimensions can pass for a small one.
        if not size or size != math.prod(shape) * dtype.itemsize:
            raise reader.damaged(f"'{name}' has {size} bytes and the shape {list(shape)} of {dtype.name}")
        variables[name] = Place(shape, dtype, reader.skip(size, f"'{name}'"))
    return variables


def _dtype(reader, name):
    number = reader.number("B", f"'{name}'")
    if number >= len(_DTYPES):
        kind = "bfloat16" if number == len(_DTYPES) else f"data of type {number}"
        raise reader.damaged(f"'{name}' is {kind}, where float32, float16, int8, int16 and int32 are known")
    return _DTYPES[number]


def _read_aliases(reader, variables):
    targets = {}
    for number in range(reader.count(2 * (2 + 2), "aliases")):
        alias, target = (reader.name(f"the {what} of alias {number + 1}") for what in ("name", "target"))
        if target not in variables or alias in variables or alias in targets:
            raise reader.damaged(f"alias '{alias}' of '{target}' can't be resolved")
        targets[alias] = variables[target]
    return targets
