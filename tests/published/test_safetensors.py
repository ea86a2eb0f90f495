"""The reader of safetensors files against the format's own writer, and files that are damaged or hostile."""

import json
import struct
import sys

import numpy as np
import pytest

from speechzoo.published.safetensors import SafetensorsFile
from tests.published.refusal import refused

pytest.importorskip("safetensors", reason="no safetensors: pip install speechzoo[hub]")

ARRAYS = {"float": np.arange(6, dtype=np.float32).reshape(2, 3), "half": np.linspace(-1, 1, 5).astype(np.float16),
          "long": np.array([2**40], np.int64), "number": np.array(3, np.int32), "flag": np.array([True, False])}


def test_reads_what_its_package_writes(tmp_path):
    from safetensors.numpy import save_file

    save_file(ARRAYS, tmp_path / "a.safetensors", metadata={"format": "pt"})
    file = SafetensorsFile(tmp_path / "a.safetensors")
    assert sorted(file) == sorted(ARRAYS) and file.values == {"format": "pt"}
    for name, array in ARRAYS.items():
        assert file.shape(name) == array.shape and file[name].dtype == array.dtype
        np.testing.assert_array_equal(file[name], array)


def written(folder, header, data=bytes(24), length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(start=0, end=24, shape=(2, 3), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def check_refused(path, message="safetensors"):
    refused(SafetensorsFile, path, message)


@pytest.mark.parametrize("header, more", [
    ({"a": entry(), "b": entry()}, {}),  # overlap
    ({"a": entry(), "b": entry(12, 36)}, {"data": bytes(36)}),
    ({"a": entry(4, 28)}, {"data": bytes(28)}),  # a hole
    ({"a": entry()}, {"data": bytes(20)}),
    ({"a": entry()}, {"data": bytes(28)}),
    ({"a": entry(shape=(2, 4))}, {}),
    ({"a": entry(shape=(2**32, 2**32))}, {}),
    ({"a": entry(shape=(-2, -3))}, {}),
    ({"a": entry(24, 0)}, {}),
    ({"a": entry(-24, 0)}, {}),
    ({"a": entry(dtype="F33")}, {}),
    ({"a": entry(dtype="object")}, {}),
    ({"a": entry()}, {"length": 2**62}),
    ({"a": entry()}, {"length": 200_000_000}),
    ({"a": entry()}, {"length": 3}),
    (b"[" * 10_000, {}),
    (b"{}garbage", {}),
    (b"\xff\xfe", {}),
])
def test_what_a_header_must_not_say(header, more, tmp_path):
    check_refused(written(tmp_path, header, **more))


def test_types_that_numpy_does_not_have(tmp_path):
    check_refused(written(tmp_path, {"a": entry(0, 12, dtype="BF16")}, bytes(12)), "'a' is BF16, where F64, F32")


def test_a_file_cut_anywhere_is_one_line(tmp_path):
    data = written(tmp_path, {"a": entry()}).read_bytes()
    for length in (*range(0, len(data), len(data) // 10), len(data) - 1):
        (tmp_path / "a.safetensors").write_bytes(data[:length])
        check_refused(tmp_path / "a.safetensors")


def test_a_file_that_is_gone(tmp_path):
    path = written(tmp_path, {"a": entry()})
    file = SafetensorsFile(path)
    written(tmp_path, {"a": entry(shape=(3, 2))})
    with pytest.raises(ValueError, match="changed since it was opened"):
        file["a"]
    path.unlink()
    with pytest.raises(ValueError, match="changed since it was opened"):
        file["a"]


def test_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install speechzoo\[hub\]"):
        SafetensorsFile(written(tmp_path, {"a": entry()}))
