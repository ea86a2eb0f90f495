"""`open_weights`: which reader a file gets follows from what is in it."""

import shutil

import h5py
import numpy as np
import pytest

from speechzoo.published.weights_file import open_weights
from tests.published.test_nemo import WEIGHTS, archive
from tests.published.test_safetensors import entry, written
from tests.published.tiny_torch import STREAM, ZIP
from tests.published.tiny_whisper import COMMITTED


@pytest.fixture
def files(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weight"] = np.ones(3)
    files = {"zip": ZIP, "stream": STREAM, "ctranslate2": COMMITTED, "h5": tmp_path / "a.h5",
             "nemo": archive(tmp_path, WEIGHTS), "safetensors": written(tmp_path, {"a": entry()})}
    return {kind: shutil.copy(path, tmp_path / f"{kind}.weights") for kind, path in files.items()}


@pytest.mark.parametrize("kind, reader", [
    ("zip", "PyTorchFile"), ("stream", "PyTorchFile"), ("ctranslate2", "CTranslate2File"), ("h5", "KerasFile"),
    ("nemo", "NeMoFile"), ("safetensors", "SafetensorsFile")])
def test_by_content_and_not_by_name(kind, reader, files):
    if kind == "safetensors":
        pytest.importorskip("safetensors", reason="no safetensors: pip install speechzoo[hub]")
    file = open_weights(files[kind])
    assert type(file).__name__ == reader and len(file) and np.size(file[next(iter(file))])


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"no weights at all", b"\x1f\x8b", bytes(600), b"{\"a\": 1}",
                                  b"\x80\2}."])
def test_other_files_are_one_line(data, tmp_path):
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(ValueError, match="a.bin: ") as raised:
        open_weights(tmp_path / "a.bin")
    assert "\n" not in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing: no such file"):
        open_weights(tmp_path / "nothing")
