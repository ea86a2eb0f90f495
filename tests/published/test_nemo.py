"""The reader of NeMo's archives, and tar archives that are damaged or hostile."""

import io
import os
import tarfile

import numpy as np
import pytest

from speechzoo.published.nemo import NeMoFile
from tests.published.refusal import refused
from tests.published.tiny_torch import ZIP, expected

CONFIG = b"encoder: {d_model: 16}\n"


def member(name="./model_config.yaml", data=CONFIG, **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


WEIGHTS = member("./model_weights.ckpt", ZIP.read_bytes())


def archive(folder, *members, mode="w", layout=tarfile.PAX_FORMAT):
    path = folder / "a.nemo"
    with tarfile.open(path, mode, format=layout) as file:
        for info, data in members:
            file.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_are_read_where_they_are(mode, layout, tmp_path):
    # A time between seconds brings an extra header in PAX, a long name one in GNU's format.
    long = "tokenizers/" + "a" * 90 + "/" + "b" * 60
    members = member(".", b"", type=tarfile.DIRTYPE), member(mtime=1.5), member(long), WEIGHTS
    path = archive(tmp_path, *members, mode=mode, layout=layout)
    before = os.listdir(tmp_path)
    file = NeMoFile(path)
    assert file.members == ["model_config.yaml", long, "model_weights.ckpt"]
    assert file.text() == file.text(long) == CONFIG
    for name, array in expected().items():
        np.testing.assert_array_equal(file[name], array)
    assert file.values["dims.n_mels"] == 80 and os.listdir(tmp_path) == before


def check_refused(path, message):
    refused(NeMoFile, path, message)


@pytest.mark.parametrize("members, message", [
    ([member()], "it has no model_weights.ckpt"),
    ([WEIGHTS, member("../evil")], "'../evil' lies outside"),
    ([WEIGHTS, member("/etc/passwd")], "'/etc/passwd' lies outside"),
    ([WEIGHTS, member("a/../../evil")], "lies outside"),
    ([WEIGHTS, member("..\\evil")], "lies outside"),
    ([WEIGHTS, member("../" + "a" * 200)], "lies outside"),
    ([member("model_weights.ckpt", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "is a link"),
    ([WEIGHTS, member("b", b"", type=tarfile.LNKTYPE, linkname="model_weights.ckpt")], "is a link"),
    ([WEIGHTS, member("b", b"", type=tarfile.FIFOTYPE)], "is a link, a device"),
    ([WEIGHTS, member("b", b"", type=tarfile.CHRTYPE)], "is a link, a device"),
    ([WEIGHTS, WEIGHTS], "'model_weights.ckpt' is there twice"),
    ([WEIGHTS, member("b", pax_headers={"size": "9999999999"})], "is a link or has holes"),
    ([WEIGHTS, member("b", pax_headers={"comment": "a" * 100_000})], "a header of 100"),
    ([member("model_weights.ckpt", b"no checkpoint")], "no PyTorch checkpoint"),
])
def test_what_an_archive_must_not_hold(members, message, tmp_path):
    check_refused(archive(tmp_path, *members), message)


@pytest.mark.parametrize("change, message", [
    ({124: b"77777777777\0"}, "ends inside of a member"),
    # a negative size made Python's own reader turn in circles
    ({124: b"\xff" * 12}, "a member of no possible size"),
    ({124: b"\x80" + b"\xff" * 11}, "ends inside of a member"),
    ({124: b"-0000000001\0"}, "a member of no possible size"),
    ({0: b"x"}, "the sum of a header is wrong"),
    ({148: b"zzzzzzzz"}, "the sum of a header is wrong"),
])
def test_headers_that_lie(change, message, tmp_path):
    path = archive(tmp_path, WEIGHTS, layout=tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    for place, value in change.items():
        data[place:place + len(value)] = value
    if 124 in change:
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(bytes(data))
    check_refused(path, message)


def test_an_extra_header_that_can_not_be_read(tmp_path):
    path = archive(tmp_path, member(mtime=1.5), WEIGHTS)
    data = path.read_bytes()
    for lie in (b"0 mtime=", b"9 mtime=", b"99999 mtim", b"xx mtime"):
        path.write_bytes(data.replace(b"13 mtime=", lie + b"1" * (9 - len(lie)), 1))
        check_refused(path, "an extra header that can't be read|sum of a header")


def test_a_bomb_ends_soon(tmp_path):
    path = archive(tmp_path, member("model_weights.ckpt", bytes(60_000_000)), mode="w:gz")
    assert path.stat().st_size < 100_000
    check_refused(path, "grows to more than 8 times its size")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_is_one_line(mode, tmp_path):
    path = archive(tmp_path, member(), WEIGHTS, mode=mode)
    data = path.read_bytes()
    # Behind the last member are zeros, of which Python writes more than two blocks.
    end = len(data) if mode == "w:gz" else len(data.rstrip(b"\0"))
    for length in (*range(0, end, end // 10), end - 1):
        path.write_bytes(data[:length])
        check_refused(path, "NeMo file|PyTorch checkpoint")


def test_texts_are_small(tmp_path):
    file = NeMoFile(archive(tmp_path, member(data=bytes(17 << 20)), WEIGHTS))
    with pytest.raises(ValueError, match="'model_config.yaml' has 17825792 bytes, more than 16777216"):
        file.text()
