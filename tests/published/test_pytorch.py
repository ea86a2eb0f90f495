"""The reader of PyTorch's checkpoints against files that PyTorch wrote, and against damaged and hostile ones."""

import struct
import zipfile

import numpy as np
import pytest

from speechzoo.published.pytorch import STREAM_NUMBER, STREAM_START, PyTorchFile
from tests.published.refusal import refused
from tests.published.test_pickle_reading import ORDERED, SYSTEM, storage, tensor, text
from tests.published.tiny_torch import STREAM, VALUES, ZIP, expected, write_checkpoint

NUMBERS = np.arange(6, dtype="<f4").tobytes()


def check(path):
    file, arrays = PyTorchFile(path), expected()
    assert list(file) == list(arrays) and file.values == VALUES
    for name, array in arrays.items():
        assert file.shape(name) == array.shape and file[name].dtype == array.dtype
        np.testing.assert_array_equal(file[name], array)


@pytest.mark.parametrize("path", [ZIP, STREAM], ids=["zip", "stream"])
def test_reads_what_pytorch_wrote(path):
    check(path)
    assert path.stat().st_size < 50_000


@pytest.mark.parity
@pytest.mark.parametrize("stream", [False, True])
def test_reads_what_pytorch_writes(stream, tmp_path):
    pytest.importorskip("torch", reason="no torch: make parity")
    write_checkpoint(tmp_path / "a.pt", stream)
    check(tmp_path / "a.pt")


def state(*tensors):
    """A pickle: {"0": tensor, "1": tensor, ...}."""
    items = b"".join(text(str(number).encode()) + item for number, item in enumerate(tensors))
    return b"\x80\2}(" + items + b"u."


def zipped(folder, program=None, data=(("0", NUMBERS),), compression=zipfile.ZIP_STORED, order=b"little",
           pickles=("",)):
    path = folder / "a.pt"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for prefix in pickles:
            archive.writestr(f"a/{prefix}data.pkl", state(tensor()) if program is None else program)
        archive.writestr("a/byteorder", order)
        for key, numbers in data:
            archive.writestr(f"a/data/{key}", numbers)
    return path


def streamed(folder, program=None, keys=b"](" + text(b"0") + b"e", lengths=(6,), data=NUMBERS, version=b"M\xe9\3",
             machine=b"}" + text(b"little_endian") + b"\x88s", end=b""):
    path = folder / "a.pt"
    path.write_bytes(STREAM_START + b"." + b"\x80\2" + version + b"." + b"\x80\2" + machine + b"."
                     + (state(tensor()) if program is None else program) + b"\x80\2" + keys + b"."
                     + b"".join(struct.pack("<q", length) for length in lengths) + data + end)
    return path


@pytest.mark.parametrize("write", [zipped, streamed])
def test_files_made_by_hand(write, tmp_path):
    assert PyTorchFile(write(tmp_path))["0"].tolist() == [[0, 1, 2], [3, 4, 5]]
    # an axis of one element may have any stride
    strides = b"\x8a\x09" + (2**60).to_bytes(9, "little") + b"K\1\x86"
    odd = PyTorchFile(write(tmp_path, state(tensor(shape=b"K\1K\2\x86", strides=strides))))
    assert odd["0"].tolist() == [[0, 1]]


def doubled(levels):
    """A list of dictionaries, each of which has the one before it twice: 2^levels tensors to walk through."""
    return b"\x80\2](" + tensor() + b"q\0" + b"".join(
        b"}(" + text(b"a") + b"h" + bytes([level]) + text(b"b") + b"h" + bytes([level]) + b"uq" + bytes([level + 1])
        for level in range(levels)) + b"e."


def check_refused(path, message):
    refused(PyTorchFile, path, message)


@pytest.mark.parametrize("write", [zipped, streamed])
@pytest.mark.parametrize("program, message", [
    (b"\x80\2" + SYSTEM + text(b"id") + b"\x85R.", "names 'posix.system'"),
    (state(tensor(shape=b"K\2K\4\x86", strides=b"K\4K\1\x86")), r"has the shape \[2, 4\] and 6 numbers"),
    (state(tensor(offset=b"K\1")), r"has the shape \[2, 3\] and 6 numbers"),
    # the same numbers again and again: 4 GB out of 24 bytes
    (state(tensor(shape=b"J\0\0\1\0J\0\0\1\0\x86", strides=b"K\0K\0\x86")), "and 6 numbers"),
    # 2^32 x 2^32 is 0 in 64 bits
    (state(tensor(shape=(b"\x8a\5" + (2**32).to_bytes(5, "little")) * 2 + b"\x86", strides=b"K\0K\0\x86")),
     "and 6 numbers"),
    (state(tensor(shape=b"K\0K\3\x86")), "and 6 numbers"),
    (state(tensor(shape=b"(" + b"K\1" * 9 + b"t", strides=b"(" + b"K\1" * 9 + b"t")), "6 numbers"),
    (state(tensor(storage(length=b"J\xff\xff\xff\x7f"))), "data '0' has"),
    (b"\x80\2}(" + text(b"a.b") + tensor() + text(b"a") + b"}" + text(b"b") + tensor() + b"su.",
     "'a.b' is there twice"),
    (doubled(40), "there twice, or nested too deep"),
    (b"\x80\2}q\0(" + text(b"a") + tensor() + text(b"b") + b"h\0u.", "there twice, or nested too deep"),
])
def test_what_a_pickle_must_not_say(write, program, message, tmp_path):
    path = write(tmp_path, program)
    check_refused(path, message)


@pytest.mark.parametrize("change, message", [
    ({"data": []}, "data '0' is missing"),
    ({"data": [("0", NUMBERS + b"1")]}, "data '0' has 25 bytes, where 6 numbers of float32 were expected"),
    ({"data": [("0", NUMBERS[:-4])]}, "data '0' has 20 bytes"),
    ({"compression": zipfile.ZIP_DEFLATED}, "is compressed or encrypted"),
    ({"order": b"big"}, "not little endian"),
    ({"pickles": ()}, "0 members data.pkl"),
    ({"pickles": ("", "b/")}, "2 members data.pkl"),
])
def test_what_a_zip_must_not_hold(change, message, tmp_path):
    check_refused(zipped(tmp_path, **change), message)


def test_a_bomb_of_zeros_is_not_unpacked(tmp_path):
    path = zipped(tmp_path, data=[("0", bytes(50_000_000))], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 60_000
    check_refused(path, "is compressed or encrypted")


def test_members_that_share_bytes(tmp_path):
    path = zipped(tmp_path, data=[("0", NUMBERS), ("1", NUMBERS)])
    data = bytearray(path.read_bytes())
    first, second = (data.rindex(f"a/data/{key}".encode()) - 46 for key in "01")  # their entries in the directory
    data[second + 42:second + 46] = data[first + 42:first + 46]
    path.write_bytes(bytes(data))
    check_refused(path, "share bytes")
    data[second + 42:second + 46] = struct.pack("<I", 3)
    path.write_bytes(bytes(data))
    check_refused(path, "not where it should be")


@pytest.mark.parametrize("change, message", [
    ({"version": b"M\xe8\3"}, "version 1000 of the format"),
    ({"machine": b"}" + text(b"little_endian") + b"\x89s"}, "not little endian"),
    ({"machine": b"]"}, "not little endian"),
    ({"keys": b"]"}, "its keys are not those of its tensors"),
    ({"keys": b"](" + text(b"0") + text(b"0") + b"e"}, "its keys are not those of its tensors"),
    ({"keys": b"](K\1e"}, "its keys are no texts"),
    ({"keys": b"K\1"}, "its keys are no texts"),
    ({"lengths": (7,)}, "data '0' has another length than its tensors"),
    ({"lengths": (-6,)}, "data '0' has another length than its tensors"),
    ({"lengths": ()}, "data '0' has another length than its tensors"),
    ({"data": NUMBERS[:-1]}, "ends inside of data '0'"),
    ({"end": b"1"}, "1 bytes follow its end"),
    ({"program": state(tensor(), tensor(storage(length=b"K\7")))}, "data '0' has two types or lengths"),
])
def test_what_a_stream_must_not_hold(change, message, tmp_path):
    check_refused(streamed(tmp_path, **change), message)


@pytest.mark.parametrize("path", [ZIP, STREAM], ids=["zip", "stream"])
def test_a_file_cut_anywhere_is_one_line(path, tmp_path):
    data = path.read_bytes()
    for length in (*range(len(data) // 10, len(data), len(data) // 10), len(data) - 1):
        (tmp_path / "a.pt").write_bytes(data[:length])
        check_refused(tmp_path / "a.pt", "PyTorch")
    assert STREAM_NUMBER.to_bytes(10, "little") in STREAM.read_bytes()[:20]


def test_a_file_that_shrinks_while_it_is_used(tmp_path):
    path = zipped(tmp_path)
    file = PyTorchFile(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="shorter than when it was opened"):
        file["0"]
