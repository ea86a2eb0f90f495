"""Reading Keras's weights, `.keras` archives and `.h5` files, with h5py alone."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import h5py

from speechzoo.published.array_file import MAXIMUM_RANK, ArrayFile, Place, Section, size_of
from speechzoo.published.tar_reading import MAXIMUM_EXPANSION
from speechzoo.published.zip_reading import members_of

HDF5_START = b"\x89HDF\r\n\x1a\n"
WEIGHTS = "model.weights.h5"


class KerasFile(ArrayFile):
    """The datasets of an HDF5 file, which may be the member `model.weights.h5` of a `.keras` archive, by their paths.

    Args:
        path: The file.

    Raises:
        ValueError: No such file, truncated, damaged, or with a dataset that lies in other files, has no numbers, or
            grows far beyond the file.
    """

    kind = "Keras weights file"

    def __init__(self, path: str | Path):
        super().__init__(Path(path))
        self._section = self._find()
        self._size = self._section[1]
        problem = self._read(lambda file: file.visititems(self._add))
        if problem:
            raise self.damaged(problem)

    def _find(self):
        """Where the HDF5 file lies: offset and bytes."""
        with open(self.path, "rb") as file:
            size = size_of(file)
            if file.read(len(HDF5_START)) == HDF5_START:
                return 0, size
            members = members_of(file, size, self.damaged)
            if WEIGHTS not in members:
                raise self.damaged(f"it has no {WEIGHTS}")
            return members[WEIGHTS].offset, members[WEIGHTS].size

    def open(self) -> BinaryIO:
        return Section(super().open, *self._section)

    def _read(self, take: Callable):
        try:
            with self.open() as stream, h5py.File(stream, "r") as file:
                return take(file)
        # What h5py raises depends on which of its structures the damage hits.
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise self.damaged(" ".join(str(error).split())[:120]) from None

    def _add(self, name, item):
        """Keeps where a dataset lies, or answers what is wrong with it, which ends the visit."""
        if not isinstance(item, h5py.Dataset):
            return None
        if item.dtype.kind not in "fiub" or item.shape is None or len(item.shape) > MAXIMUM_RANK:
            return f"'{name[:80]}' has no numbers"
        if item.external or item.is_virtual:
            return f"'{name[:80]}' lies in another file"
        stored = item.id.get_storage_size()
        if stored > self._size or item.nbytes > MAXIMUM_EXPANSION * stored:
            return f"'{name[:80]}' has the shape {list(item.shape)} in {stored} bytes"
        self._places[name] = Place(item.shape, item.dtype, 0)
        return None

    def __getitem__(self, name):
        place = self._places[name]
        array = self._read(lambda file: file[name][()] if file[name].shape == place.shape else None)
        if array is None:
            raise ValueError(f"{self.path}: changed since it was opened; fetch it again")
        return array
