"""The reader of `model.bin` against CTranslate2's own writer, and against files that are damaged or hostile."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies

from speechzoo.published.ctranslate2 import CTranslate2File
from tests.published.tiny_whisper import COMMITTED, whisper_spec, write_whisper


def name(text):
    return struct.pack("<H", len(text) + 1) + text + b"\0"


def variable(text=b"a", shape=(2, 3), dtype=0, size=24, data=bytes(24)):
    return name(text) + struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, dtype, size) + data


def model(variables=(variable(),), aliases=(), version=6, specification=name(b"WhisperSpec"), count=None,
          alias_count=None):
    """The bytes of a file, each part of which may be wrong."""
    count = len(variables) if count is None else count
    alias_count = len(aliases) if alias_count is None else alias_count
    return (struct.pack("<I", version) + specification + struct.pack("<II", 3, count) + b"".join(variables)
            + struct.pack("<I", alias_count) + b"".join(name(one) + name(other) for one, other in aliases))


def opened(folder, data):
    path = folder / "model.bin"
    path.write_bytes(data)
    return CTranslate2File(path)


@pytest.mark.parametrize("quantization", [None, "float16", "int8", "int16"])
def test_reads_what_ctranslate2_writes(quantization, tmp_path):
    pytest.importorskip("ctranslate2", reason="no ctranslate2: pip install speechzoo[dev]")
    spec = whisper_spec()
    file = CTranslate2File(write_whisper(tmp_path, quantization, spec))
    assert (file.specification, file.revision) == ("WhisperSpec", 3)
    written = spec.variables()
    assert sorted(file) == sorted(written) and len(file) == len(written)
    aliases = [key for key, value in written.items() if isinstance(value, str)]
    assert aliases == ["decoder/projection/weight"]
    for key, value in written.items():
        expected = written[value].numpy() if key in aliases else value.numpy()
        assert file[key].dtype == expected.dtype and file.shape(key) == expected.shape
        np.testing.assert_array_equal(file[key], expected)


def test_the_committed_file_is_the_one_that_its_script_writes(tmp_path):
    pytest.importorskip("ctranslate2", reason="no ctranslate2: pip install speechzoo[dev]")
    assert (write_whisper(tmp_path) / "model.bin").read_bytes() == COMMITTED.read_bytes()
    assert COMMITTED.stat().st_size < 100_000


def test_arrays_are_read_when_they_are_asked_for(tmp_path):
    data = variable(b"large", (1000, 1000), 0, 4_000_000, np.arange(1e6, dtype="<f4").tobytes())
    tracemalloc.start()
    file = opened(tmp_path, model([data, variable(b"small")]))
    del data
    tracemalloc.reset_peak()
    file["small"]
    assert "large" in file and file.shape("large") == (1000, 1000) and "nothing" not in file
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert file["large"][999, 999] == 999_999


@pytest.mark.parametrize("data, message", [
    (b"", "ends inside of the version"),
    (model(version=3), "version 3"),
    (b"PK\3\4" + bytes(100), "version 67324752 of the format"),
    (model(specification=name(b"Whisper\xff")), "the name of the model is no text"),
    (model(specification=name(b"Whis\0per")), "the name of the model is no text"),
    (model(specification=struct.pack("<H", 0)), "the name of the model has 0 bytes"),
    (model(specification=struct.pack("<H", 0xFFFF)), "the name of the model has 65535 bytes"),
    (model(count=2**32 - 1), "promises 4294967295 variables"),
    (model(count=2), "the name of variable 2 has 0 bytes"),
    (model(count=0), "aliases, more than it has room for"),
    (model([variable(shape=(1,) * 9)]), "'a' has 9 axes"),
    (model([variable(shape=(2**32 - 1,) * 8)]), "'a' has 24 bytes and the shape"),
    # 2^32 x 2^32 is 0 in 64 bits
    (model([variable(shape=(2**31, 2**31, 4), size=0, data=b"")]), "'a' has 0 bytes and the shape"),
    (model([variable(shape=(0, 3), size=0, data=b"")]), "'a' has 0 bytes and the shape"),
    (model([variable(shape=(2**30,), size=2**32 - 4)]), "'a' has 4294967292 bytes"),
    (model([variable(shape=(2**30 - 1,), size=2**32 - 4)]), "ends inside of 'a'"),
    (model([variable(dtype=4)]), "'a' has 24 bytes and the shape .2, 3. of float16"),
    (model([variable(dtype=5)]), "'a' is bfloat16"),
    (model([variable(dtype=200)]), "'a' is data of type 200"),
    (model([variable(), variable()]), "'a' is there twice"),
    (model(aliases=[(b"b", b"c")]), "alias 'b' of 'c' can't be resolved"),
    (model(aliases=[(b"a", b"a")]), "alias 'a' of 'a' can't be resolved"),
    (model(aliases=[(b"b", b"a"), (b"c", b"b")]), "alias 'c' of 'b' can't be resolved"),
    (model(alias_count=2**31), "promises 2147483648 aliases"),
    (model() + b"\0", "1 bytes follow its end"),
])
def test_what_is_wrong_is_one_line_and_takes_no_memory(data, message, tmp_path):
    tracemalloc.start()
    with pytest.raises(ValueError, match=message) as raised:
        opened(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert_names_file_and_remedy(raised.value, tmp_path)


def assert_names_file_and_remedy(error, folder):
    assert str(folder / "model.bin") in str(error) and "again" in str(error) and "\n" not in str(error)


def test_a_whole_file_passes(tmp_path):
    file = opened(tmp_path, model([variable(), variable(b"n", (), 2, 2, b"\x07\0")], [(b"b", b"a")]))
    assert dict(file).keys() == {"a", "n", "b"} and file["n"] == 7
    np.testing.assert_array_equal(file["b"], file["a"])


@pytest.mark.parametrize("place", [*range(0, 100, 10), "the last byte"])
def test_a_truncated_file_is_refused(place, tmp_path):
    data = COMMITTED.read_bytes()
    with pytest.raises(ValueError, match="truncated") as raised:
        opened(tmp_path, data[:-1] if place == "the last byte" else data[:len(data) * place // 100])
    assert_names_file_and_remedy(raised.value, tmp_path)


WHOLE = model([variable(b"first"), variable(b"second", (6,))], [(b"third", b"first")])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=strategies.lists(strategies.tuples(strategies.integers(0, len(WHOLE) - 1), strategies.integers(0, 7)),
                              min_size=1, max_size=4))
def test_flipped_bits_of_the_fields_are_refused_or_change_a_name(flips, tmp_path):
    data = bytearray(WHOLE)
    for place, bit in flips:
        data[place] ^= 1 << bit
    try:
        file = opened(tmp_path, bytes(data))
    except ValueError as error:
        assert_names_file_and_remedy(error, tmp_path)
    else:
        assert all(array.nbytes <= len(data) for array in dict(file).values())


def test_a_missing_file_is_named(tmp_path):
    for source in (tmp_path, tmp_path / "other.bin"):
        with pytest.raises(FileNotFoundError, match="(model|other).bin: no such file; give the model.bin"):
            CTranslate2File(source)


def test_a_file_that_shrinks_while_it_is_used(tmp_path):
    file = opened(tmp_path, model())
    file.path.write_bytes(file.path.read_bytes()[:40])
    with pytest.raises(ValueError, match="shorter than when it was opened"):
        file["a"]
