"""Where the members of a tar archive lie, plain or gzipped; nothing is extracted."""

import gzip
import io
import re
import tempfile
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from speechzoo.published.array_file import Section, size_of
from speechzoo.published.zip_reading import Member

BLOCK = 512
GZIP_START = b"\x1f\x8b"
MAXIMUM_EXPANSION = 8
"""Weights shrink to 0.9 when they are compressed, texts to 0.2: beyond `MAXIMUM_EXPANSION` it is a bomb."""
_FILES, _FOLDER, _PAX, _PAX_OF_ALL, _LONG_NAME = (b"0", b"\0"), b"5", b"x", b"g", b"L"
_MAXIMUM_HEADER = 1 << 16  # bytes of the extra headers of a member
_MAXIMUM_MEMBERS = 10_000
_PIECE = 1 << 18
_PAX_RECORD = re.compile(rb"([0-9]{1,5}) ([^=\n]{1,100})=")


class TarArchive:
    """A tar archive: its members by name, each opened on its own.

    Args:
        path: The file, gzipped or not.
        damaged: Makes the error for a problem.

    Attributes:
        members: Name, without a leading `./` -> where it lies.

    Raises:
        ValueError: No such archive, damaged, expanding beyond what weights do, or with a member that is a link, a
            device or lies outside of the archive's own folder.
    """

    def __init__(self, path: str | Path, damaged: Callable[[str], ValueError]):
        self._path, self._damaged = path, damaged
        with open(path, "rb") as file:
            self._unpacked = _unpacked(file, damaged) if file.read(2) == GZIP_START else None
        if self._unpacked:
            weakref.finalize(self, self._unpacked.close)
        with self._whole() as file:
            self._size = size_of(file)
            self.members = dict(self._entries(file))

    def open(self, name: str) -> BinaryIO:
        """The bytes of a member, as a file of its own."""
        return io.BufferedReader(Section(self._whole, self.members[name].offset, self.members[name].size))

    def read(self, name: str, maximum: int) -> bytes:
        """The bytes of a member that has at most `maximum`."""
        if self.members[name].size > maximum:
            raise self._damaged(f"its member '{name}' has {self.members[name].size} bytes, more than {maximum}")
        with self.open(name) as file:
            return file.read(maximum)

    def _whole(self):
        if self._unpacked is None:
            return open(self._path, "rb")
        return open(self._unpacked.fileno(), "rb", closefd=False)

    def _entries(self, file):
        position, long_name, names = 0, None, set()
        while position + BLOCK <= self._size:
            file.seek(position)
            header = file.read(BLOCK)
            if not header.strip(b"\0"):
                break  # the end of an archive is blocks of zeros
            size, kind = self._checked_size(header), header[156:157]
            offset = position + BLOCK
            position = offset + -(-size // BLOCK) * BLOCK
            if offset + size > self._size:
                raise self._damaged("it ends inside of a member")
            if kind in (_PAX, _PAX_OF_ALL, _LONG_NAME):
                if size > _MAXIMUM_HEADER:
                    raise self._damaged(f"a header of {size} bytes")
                long_name = self._name_in(kind, file.read(size)) or long_name
                continue
            name = self._clean(long_name or _name(header))
            long_name = None
            if kind == _FOLDER:
                continue
            if kind not in _FILES:
                raise self._damaged(f"its member '{name[:80]}' is a link, a device or a file with holes")
            if name in names or len(names) == _MAXIMUM_MEMBERS:
                raise self._damaged(f"its member '{name[:80]}' is there twice, or one of too many")
            names.add(name)
            yield name, Member(offset, size)
        else:
            raise self._damaged("it has no end")

    def _checked_size(self, header):
        total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
        if _octal(header[148:156]) != total:
            raise self._damaged("the sum of a header is wrong")
        size = int.from_bytes(header[125:136], "big") if header[124] == 0x80 else _octal(header[124:136])
        if size is None:
            raise self._damaged("a member of no possible size")
        return size

    def _name_in(self, kind, data):
        """The name that an extra header gives the member behind it, if any."""
        if kind == _LONG_NAME:
            return data.rstrip(b"\0").decode("utf-8", "replace")
        name, position = None, 0
        while position < len(data):
            match = _PAX_RECORD.match(data, position)
            if not match or int(match[1]) < match.end() - position or position + int(match[1]) > len(data):
                raise self._damaged("an extra header that can't be read")
            key, value = match[2], data[match.end():position + int(match[1]) - 1]
            position += int(match[1])
            if key in (b"size", b"linkpath") or key.startswith(b"GNU.sparse"):
                raise self._damaged("a member that is a link or has holes")
            if key == b"path":
                name = value.decode("utf-8", "replace")
        return name

    def _clean(self, name):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise self._damaged(f"its member '{name[:80]}' lies outside of it")
        return "/".join(parts)


def _unpacked(file, damaged):
    """A file without a name that holds what a gzip file holds."""
    limit = MAXIMUM_EXPANSION * size_of(file) + _PIECE
    unpacked = tempfile.TemporaryFile()
    try:
        with gzip.open(file) as stream:
            while piece := stream.read(_PIECE):
                if unpacked.tell() + len(piece) > limit:
                    raise damaged(f"it grows to more than {MAXIMUM_EXPANSION} times its size, which weights don't")
                unpacked.write(piece)
        unpacked.flush()
        return unpacked
    except BaseException as error:
        unpacked.close()
        if isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error)):
            raise damaged(" ".join(str(error).split())[:120]) from None
        raise


def _name(header):
    name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
    prefix = header[345:500].rstrip(b"\0").decode("utf-8", "replace") if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _octal(field):
    match = re.fullmatch(rb" *([0-7]{1,12})[ \0]*", field)
    return int(match[1], 8) if match else None
