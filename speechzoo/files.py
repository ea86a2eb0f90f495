"""Writing files so that nothing that is there is lost, and so that errors name the file."""

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np


def write_atomically(path: str | Path, data):
    """Writes bytes so that a crash, a kill or a full disk leaves either the old file or the new one, whole.

    Folders above it are made. What is no regular file (a pipe, /dev/stdout) is written straight.

    Raises:
        OSError: It can't be written; the error names `path`.
    """
    with open_atomically(path) as file:
        file.write(data)


def write_arrays_atomically(path: str | Path, /, **arrays):
    """Writes arrays as an `.npz` file, otherwise as `write_atomically`."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, content.getvalue())


@contextlib.contextmanager
def open_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file to write piece by piece, which takes the place of `path` when the block ends without an error.

    Folders above it are made. Until then, and after an error, what was there is untouched. What is no regular file is
    opened itself.

    Raises:
        OSError: It can't be written; the error names `path`.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        with naming(path, path), open(path, "wb") as file:
            yield file
        return
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        # What fills the file may fail to read another one, which its error names already.
        with naming(path, temporary), open(descriptor, "wb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with naming(path):
            # mkstemp's files are for their owner alone; this one is as open as any other file the user makes.
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


@contextlib.contextmanager
def naming(path: str | Path, only: str | Path | None = None):
    """Makes an OSError inside name `path`: that of a full disk comes without a file, others with a temporary one's.

    Args:
        path: The file that errors shall name.
        only: Errors that name another file than this one stay as they are; all name `path` when None.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or only is not None and error.filename not in (None, str(only), path):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


def check_writable(path: str | Path):
    """Notices before a long job that its result couldn't be written to `path`.

    Raises:
        OSError: `path` is a folder, or the folder it would lie in isn't there or can't be written to.
    """
    path = Path(path)
    if path.is_dir():
        problem = errno.EISDIR
    elif not path.parent.is_dir():
        problem = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problem = errno.EACCES
    else:
        return
    raise OSError(problem, os.strerror(problem), str(path))


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    # The rename itself must reach the disk too; folders can't be opened on Windows.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
