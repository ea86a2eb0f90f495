"""The bytes of a recording, wherever they are: a path, a pipe, bytes or a file object."""

import contextlib
import io
import os
from collections.abc import Iterator

from speechzoo.audio.errors import AudioError

_SEARCH_BYTES = 1 << 20


class Source:
    """Bytes that can be read at any place.

    Args:
        stream: Binary file object that can seek; the recording begins where it stands.
        name: For messages.

    Attributes:
        name: For messages.
        size: Number of bytes.
        begin: Where in `stream` they begin.
    """

    def __init__(self, stream, name: str):
        self.stream, self.name = stream, name
        self.begin = stream.tell()
        self.size = stream.seek(0, io.SEEK_END) - self.begin

    def read(self, offset: int, count: int) -> bytes:
        """The bytes from `offset` on; fewer than `count` at the end."""
        if not 0 <= offset < self.size:
            return b""
        self.stream.seek(self.begin + offset)
        parts, wanted = [], min(count, self.size - offset)
        while wanted > 0 and (part := self.stream.read(wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def find(self, pattern: bytes, first: int = 0) -> Iterator[int]:
        """Every place, from `first` on, where `pattern` stands."""
        overlap = len(pattern) - 1
        for offset in range(first, self.size, _SEARCH_BYTES):
            data = self.read(offset, _SEARCH_BYTES + overlap)
            place = data.find(pattern)
            while place >= 0:
                yield offset + place
                place = data.find(pattern, place + 1)


class Window(io.RawIOBase):
    """A piece of a source as a file of its own, some bytes of which read otherwise.

    Args:
        source: What it is a piece of.
        offset: Where it begins.
        size: Number of bytes.
        patch: (Place in the window, the bytes that stand there instead), or None.
        prefix: What is read before all that.
    """

    def __init__(self, source: Source, offset: int, size: int, patch: tuple[int, bytes] | None = None,
                 prefix: bytes = b""):
        self._source, self._offset, self._patch, self._prefix = source, offset - len(prefix), patch, prefix
        self._size, self._place = size + len(prefix), 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._place

    def seek(self, offset, whence=io.SEEK_SET):
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def readinto(self, target):
        count = max(0, min(len(target), self._size - self._place))
        data = self._prefix[self._place:self._place + count]
        data += self._source.read(self._offset + self._place + len(data), count - len(data))
        if self._patch is not None:
            at, replacement = self._patch
            first, last = max(at, self._place), min(at + len(replacement), self._place + len(data))
            if first < last:
                data = bytearray(data)
                data[first - self._place:last - self._place] = replacement[first - at:last - at]
        target[:len(data)] = data
        self._place += len(data)
        return len(data)


@contextlib.contextmanager
def open_source(source):
    """Opens a path, bytes or a binary file object as a `Source`.

    Raises:
        AudioError: It is missing, can't be opened or is empty.
        TypeError: It is none of these.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            try:
                stream = stack.enter_context(open(source, "rb", buffering=0))
            except OSError as error:
                reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror.lower()
                raise AudioError(f"{name}: {reason}") from None
            except ValueError:  # a zero byte in it
                raise AudioError(f"{name!r}: no such file") from None
        elif isinstance(source, (bytes, bytearray, memoryview)):
            name, stream = "the audio bytes", io.BytesIO(source)
        elif hasattr(source, "read"):
            name, stream = str(getattr(source, "name", "the audio stream")), source
        else:
            raise TypeError(f"audio must be a path, bytes, a file object or an (array, sample rate) pair, "
                            f"got {type(source).__name__}")
        if not getattr(stream, "seekable", lambda: False)():  # /dev/stdin, a named pipe, a socket
            stream = io.BytesIO(stream.read())
        opened = Source(stream, name)
        if not opened.size:
            raise AudioError(f"{name}: empty, 0 bytes")
        try:
            yield opened
        finally:
            stream.seek(opened.begin)  # the caller's file object may be read again
