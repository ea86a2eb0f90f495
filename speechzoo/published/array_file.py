"""What all readers of weights files are: named arrays, each read from the file when it is asked for."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAXIMUM_RANK = 8
"""Arrays of weights have some 4 axes; more than `MAXIMUM_RANK` is damage."""


class ArrayFile(Mapping):
    """The arrays of a file by name, each read when it is asked for.

    Opening one checks its whole structure against its size, so that a damaged or hostile file never makes it take
    memory that the file doesn't fill, and runs nothing that the file says.

    Attributes:
        path: The file.
        kind: What kind of file it is, for messages.
        values: Numbers and texts that lie beside the arrays, by name: what a checkpoint says of its own sizes.
    """

    kind = "weights file"

    def __init__(self, path: Path):
        self.path = path
        self.values: dict[str, int | float | str] = {}
        self._places: dict[str, Place] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, without reading it."""
        return self._places[name].shape

    def damaged(self, problem: str) -> ValueError:
        """The error that the file is not what it should be."""
        return damaged(self.path, self.kind, problem)

    def open(self) -> BinaryIO:
        """The bytes that the places of the arrays count in."""
        return open(self.path, "rb")

    def __getitem__(self, name: str) -> np.ndarray:
        place = self._places[name]
        with self.open() as file:
            file.seek(place.offset)
            data = file.read(place.span)
        if len(data) != place.span:
            raise ValueError(f"{self.path}: shorter than when it was opened; fetch it again")
        return np.ndarray(place.shape, place.dtype, data, strides=place.strides)

    def __contains__(self, name) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True)
class Place:
    """Where an array lies.

    Attributes:
        shape: Its shape.
        dtype: Its data type.
        offset: Bytes before its first element.
        strides: Bytes from one element of an axis to the next; None where it lies in one piece, row by row.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    strides: tuple[int, ...] | None = None

    @property
    def span(self) -> int:
        """Bytes from the beginning of its first element to the end of its last."""
        if self.strides is None or 0 in self.shape:
            return math.prod(self.shape) * self.dtype.itemsize
        return sum((count - 1) * stride for count, stride in zip(self.shape, self.strides)) + self.dtype.itemsize


class Section(io.RawIOBase):
    """A part of a file as a file of its own, which can be read and searched only.

    Args:
        open_whole: Opens the file that the part is of.
        offset: Bytes before the part.
        size: Bytes of the part.
    """

    def __init__(self, open_whole: Callable[[], BinaryIO], offset: int, size: int):
        super().__init__()
        self._file, self._offset, self._size, self._position = open_whole(), offset, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position < 0:
            raise OSError("a place before the beginning")
        self._position = position
        return position

    def readinto(self, buffer):
        count = max(0, min(len(buffer), self._size - self._position))
        self._file.seek(self._offset + self._position)
        data = self._file.read(count)
        buffer[:len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self):
        if not self.closed:
            self._file.close()
        super().close()


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file, which stands at its beginning afterwards."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def damaged(path: str | Path, kind: str, problem: str) -> ValueError:
    """The error that a file is not what it should be."""
    return ValueError(f"{path}: truncated, damaged or no {kind} ({problem}); fetch or convert it again")
