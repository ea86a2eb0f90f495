"""Where weights come from: files, folders, packages as downloaded, parts; what they become is the same."""

import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.importing import import_published
from speechzoo.published.sources import is_package, located
from speechzoo.published.weights_file import open_weights
from speechzoo.weights import read_arrays, sha256_of
from tests.published.tiny_torch import ZIP
from tests.published.tiny_whisper import COMMITTED
from tests.published.whisper_twins import write_openai, write_transformers

WHOLE = COMMITTED.read_bytes()
CONFIG = b'{"alignment_heads": [[0, 1]]}'


def wheel(path, members, compression=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a-1.0.dist-info/METADATA", "Name: a")
        archive.writestr("a/__init__.py", "raise RuntimeError('imported')")
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def distribution(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {"a-1.0/PKG-INFO": b"Name: a", **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def check(source, label, given, config):
    with located(source) as found:
        assert found.path.read_bytes() == WHOLE
        assert (found.label, found.given, found.config) == (label, given, config)
        path = found.path
    assert path.is_file() == (path.parent in (source, source.parent))  # what was unpacked is gone


def test_a_file_and_a_folder(tmp_path):
    (tmp_path / "model.bin").write_bytes(WHOLE)
    (tmp_path / "config.json").write_bytes(CONFIG)
    for source in (tmp_path, tmp_path / "model.bin"):
        check(source, f"{tmp_path / 'model.bin'}", "model.bin", json.loads(CONFIG))


def test_packages_are_read_and_not_installed(tmp_path):
    members = {"a/data/model.bin": WHOLE, "a/data/config.json": CONFIG, "a/data/notes.txt": b""}
    source = wheel(tmp_path / "a-1.0-py3-none-any.whl", members)
    check(source, f"{source}: model.bin", "a-1.0-py3-none-any.whl", json.loads(CONFIG))
    source = distribution(tmp_path / "a-1.0.tar.gz", {f"a-1.0/{name}": data for name, data in members.items()})
    check(source, f"{source}: model.bin", "a-1.0.tar.gz", json.loads(CONFIG))


def test_parts_are_joined(tmp_path):
    parts = {f"model.bin.part{number}": WHOLE[start:start + 20_000]
             for number, start in enumerate(range(0, len(WHOLE), 20_000), 1)}
    assert len(parts) > 3
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    check(folder, f"{folder}: model.bin", "model.bin", {})
    packages = tmp_path / "packages"
    for name, data in parts.items():
        wheel(packages / f"a_{name[-1]}-1.0.whl", {f"a/{name}": data} | {"README.md": name.encode()})
    given = ", ".join(f"a_{number}-1.0.whl" for number in range(1, len(parts) + 1))
    check(packages, f"{packages}: model.bin", given, {})
    (packages / "a_2-1.0.whl").unlink()
    with pytest.raises(ValueError, match="parts 1, 3, 4.* of model.bin, where 1, 2, ... were expected; fetch those"):
        check(packages, "", "", {})


def test_the_safest_of_several_files_is_taken(tmp_path):
    for name in ("pytorch_model.bin", "model.safetensors", "tf_model.h5", "README.md"):
        (tmp_path / name).write_bytes(b"")
    with located(tmp_path) as found:
        assert found.path.name == "model.safetensors"
    (tmp_path / "model-2.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="2 files of weights .model-2.safetensors, model.safetensors.; give one"):
        with located(tmp_path):
            pass


@pytest.mark.parametrize("members, message", [
    ({"a/notes.txt": b""}, "no file of weights in it"),
    ({"a/model.bin": b"1", "b/model.bin": b"2"}, "'model.bin' is there twice"),
    ({"a/model.bin": bytes(50_000_000)}, "grows to more than 8 times its size"),
])
@pytest.mark.parametrize("write", [wheel, distribution])
def test_what_a_package_must_not_hold(write, members, message, tmp_path):
    source = write(tmp_path / "a-1.0.whl", members)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
        import_published(source, tmp_path / "out")
    assert "\n" not in str(raised.value)


def test_names_that_lead_elsewhere_lose_their_folders(tmp_path):
    source = wheel(tmp_path / "a-1.0.whl", {"../../model.bin": WHOLE, "/etc/config.json": CONFIG})
    check(source, f"{source}: model.bin", "a-1.0.whl", json.loads(CONFIG))
    assert not (tmp_path.parent / "model.bin").exists()


def test_a_package_cut_anywhere_is_one_line(tmp_path):
    for write in (wheel, distribution):
        data = write(tmp_path / "a.whl", {"a/model.bin": WHOLE}).read_bytes()
        for length in range(0, len(data), len(data) // 10):
            (tmp_path / "a.whl").write_bytes(data[:length])
            with pytest.raises(ValueError, match="a.whl: ") as raised:
                import_published(tmp_path / "a.whl", tmp_path / "out")
            assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_checkpoints_are_no_packages(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text"))
    assert not any(map(is_package, (ZIP, COMMITTED, tmp_path, tmp_path / "a.gz")))


def test_a_config_that_is_no_json(tmp_path):
    (tmp_path / "model.bin").write_bytes(WHOLE)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json: damaged, not valid JSON"):
        with located(tmp_path):
            pass


# ---- what they become


def weights_of(source, folder):
    report = import_published(source, folder)
    return report, read_arrays(folder / "model.weights.h5")


@pytest.mark.parametrize("kind", ["transformers", "openai", "package"])
def test_the_same_weights_from_every_source(kind, tmp_path):
    arrays = dict(CTranslate2File(COMMITTED))
    tokens = COMMITTED.with_name("vocabulary.json").read_bytes()
    if kind == "transformers":
        pytest.importorskip("safetensors", reason="no safetensors: pip install speechzoo[hub]")
        source = write_transformers(tmp_path / "published", arrays)
        (source / "vocabulary.json").write_bytes(tokens)
    elif kind == "openai":
        source = write_openai(tmp_path / "tiny.pt", arrays)
        (tmp_path / "vocabulary.json").write_bytes(tokens)
    else:
        source = wheel(tmp_path / "a-1.0.whl", {"a/model.bin": WHOLE, "a/vocabulary.json": tokens})
    report, found = weights_of(source, tmp_path / "out")
    own, expected = weights_of(COMMITTED, tmp_path / "own")
    assert sorted(found) == sorted(expected) and report.parameters == own.parameters and report.heads == ["transcript"]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert (tmp_path / "out/config.yaml").read_text().replace("name: out", "name: own") == (
        tmp_path / "own/config.yaml").read_text()
    if kind == "package":
        assert json.loads((tmp_path / "out/origin.json").read_text())["file"] == {
            "name": "model.bin", "from": "a-1.0.whl", "sha256": sha256_of(COMMITTED), "bytes": len(WHOLE)}
    else:
        file = source / "model.safetensors" if kind == "transformers" else source
        assert sorted([*report.used, *report.left_out]) == sorted(open_weights(file))  # each once
        assert all("position" in name for name in report.left_out)


def test_what_says_no_number_of_heads(tmp_path):
    pytest.importorskip("safetensors", reason="no safetensors: pip install speechzoo[hub]")
    source = write_transformers(tmp_path / "published", dict(CTranslate2File(COMMITTED)))
    (source / "config.json").unlink()
    with pytest.raises(ValueError, match="how many attention heads the model has; put the config.json"):
        import_published(source, tmp_path / "out")


def test_other_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match="torch_zip.pt: weights of a kind that can't be imported, such as 'model_"):
        import_published(ZIP, tmp_path / "out")
    source = wheel(tmp_path / "a-1.0.whl", {"a/model.pt": ZIP.read_bytes()})
    with pytest.raises(ValueError, match="^" + f"{source}: model.pt: weights of a kind"):
        import_published(source, tmp_path / "out")
