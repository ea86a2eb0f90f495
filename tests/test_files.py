import errno
import os
import stat

import pytest

from speechzoo.files import check_writable, naming, open_atomically, write_atomically


def test_writes_whole_files_as_open_as_others(tmp_path):
    write_atomically(tmp_path / "new" / "a", b"one")
    write_atomically(tmp_path / "new" / "a", memoryview(b"two"))
    (tmp_path / "new" / "b").touch()
    assert (tmp_path / "new" / "a").read_bytes() == b"two"
    assert (tmp_path / "new" / "a").stat().st_mode == (tmp_path / "new" / "b").stat().st_mode


def test_a_failure_keeps_the_old_file_and_names_it(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no", "another name")))
    with pytest.raises(PermissionError) as error:
        write_atomically(tmp_path / "a", b"new")
    assert error.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old" and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_written_piece_by_piece_appears_at_the_end(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), open_atomically(tmp_path / "a") as file:
        file.write(b"half of ")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old" and [path.name for path in tmp_path.iterdir()] == ["a"]
    with open_atomically(tmp_path / "a") as file:
        file.write(b"all ")
        file.write(b"of it")
        assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"all of it"


def test_what_fills_a_file_may_fail_itself(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(FileNotFoundError) as error, open_atomically(tmp_path / "a") as file:
        file.write((tmp_path / "source").read_bytes())
    assert error.value.filename == str(tmp_path / "source")
    with pytest.raises(OSError, match="No space left") as error, open_atomically(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "as `write` says it")
    assert error.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old" and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_no_file_is_written_straight(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"through")
    assert os.read(reader, 99) == b"through" and stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    os.close(reader)
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"")


def test_errors_without_a_number_pass(tmp_path):
    with pytest.raises(OSError, match="^as it was$"), naming(tmp_path):
        raise OSError("as it was")


def test_check_writable(tmp_path):
    check_writable(tmp_path / "a")
    (tmp_path / "a").touch()
    check_writable(tmp_path / "a")
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "a" / "b", NotADirectoryError),
                        (tmp_path / "no" / "b", FileNotFoundError)):
        with pytest.raises(error) as raised:
            check_writable(path)
        assert raised.value.filename == str(path)
