"""One file: a flatbuffer with a zip behind it."""

import json
import zipfile

import pytest

from speechzoo.edge.artifact import Artifact, ArtifactError, read_artifact, write_artifact

NETWORK = b"\x1c\0\0\0TFL3" + bytes(range(200))
SPEC = {"name": "m", "sample_rate": 16000, "heads": {
    "transcript": {"type": "ctc", "label": "transcript", "units": ["a", "é"], "kind": "characters",
                   "frame_seconds": 0.04},
    "keyword": {"type": "classifier", "label": "keyword", "classes": ["yes", "_unknown_"]},
    "slots": {"type": "slots", "label": "slots", "slots": {"size": ["large", "small"]}},
    "speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.04},
    "speaker": {"type": "speaker", "label": "speaker", "embedding_size": 4}}}

ARTIFACT = Artifact(SPEC, 800, "int8", [{"head": "keyword", "value": 0.1}], "# Card ü\n", licence="MIT",
                    derived_from=[{"name": "Ears 1", "licence": "MIT"}], notices="Do what you like.\n")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "m.tflite"
    write_artifact(path, NETWORK, ARTIFACT)
    return path


def test_what_was_written_is_read(path):
    artifact = read_artifact(path)
    assert artifact == ARTIFACT


def test_the_flatbuffer_comes_first_and_any_zip_reader_finds_the_labels(path):
    assert path.read_bytes().startswith(NETWORK)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels/transcript.txt").decode() == "<blank>\na\né\n"
        assert archive.read("labels/keyword.txt").decode() == "yes\n_unknown_\n"
        assert archive.read("labels/slots.txt").decode() == "size=\nsize=large\nsize=small\n"
        assert "labels/speaker.txt" not in archive.namelist()
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_same_artifact_gives_the_same_bytes(path, tmp_path):
    write_artifact(tmp_path / "again.tflite", NETWORK, read_artifact(path))
    assert (tmp_path / "again.tflite").read_bytes() == path.read_bytes()


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_artifact(path, NETWORK + b"new", Artifact(SPEC))
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("damage", "message"), [
    (lambda data: b"", "empty"),
    (lambda data: b"RIFF\0\0\0\0WAVE", "not a TFLite file"),
    (lambda data: data[:len(NETWORK) // 2], "truncated"),
    (lambda data: data[:-30], "truncated"),
    (lambda data: NETWORK, "holds no spec"),
])
def test_damaged_files_say_what_is_wrong(path, damage, message):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtifactError, match=message) as caught:
        read_artifact(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", ["{", "[]", '{"format": 1}',
                                      '{"format": 1, "decoder": {"type": "greedy"}, "spec": 3}',
                                      '{"format": 1, "decoder": {"type": "greedy"}, "derived_from": [3], "spec": '
                                      '{"sample_rate": 1, "heads": {}}, "minimum_samples": 0, "quantize": "none"}'])
def test_a_damaged_spec_is_one_clear_line(tmp_path, settings):
    path = tmp_path / "m.tflite"
    path.write_bytes(NETWORK)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("speechzoo.json", settings)
    with pytest.raises(ArtifactError, match="spec is damaged"):
        read_artifact(path)


def test_a_newer_format_is_named(path):
    data = path.read_bytes()
    path.write_bytes(data[:len(NETWORK)])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("speechzoo.json", json.dumps({"format": 9, "decoder": {"type": "greedy"}}))
    with pytest.raises(ArtifactError, match="another version"):
        read_artifact(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="nothing.tflite: no such file"):
        read_artifact(tmp_path / "nothing.tflite")
