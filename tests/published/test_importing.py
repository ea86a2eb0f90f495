"""`import_published`: what it writes, what training makes of it, and what it refuses."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from speechzoo.config import load_config
from speechzoo.multitask.build import build_model
from speechzoo.origin import read_origin
from speechzoo.published import importing
from speechzoo.published.importing import import_published
from speechzoo.registry import load
from speechzoo.weights import load_weights, read_arrays, sha256_of
from tests.published.tiny_whisper import COMMITTED, VOCABULARY

REPOSITORY = Path(__file__).parents[2]
REAL = os.environ.get("SPEECHZOO_WHISPER_TINY_EN", "")


@pytest.fixture
def known(monkeypatch):
    """The committed file, as if OpenAI had published it."""
    tiny = importing.KNOWN_FILES["1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"]
    monkeypatch.setattr(importing, "KNOWN_FILES", {sha256_of(COMMITTED): tiny})


def model_from(folder, weights):
    """A model with the front end and backbone of an import's config, and what its weights file didn't have."""
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values["heads"] = {"keyword": {"type": "classifier", "classes": ["yes", "no"]}}
    (folder.parent / "mine.yaml").write_text(yaml.safe_dump(values))
    model = build_model(load_config(folder.parent / "mine.yaml"))
    return model, load_weights(model, weights, strict=False)


def test_training_starts_from_what_was_written(tmp_path):
    folder = tmp_path / "random_whisper"
    report = import_published(COMMITTED, folder, encoder_only=True)
    assert report.heads == []
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "config.yaml", "model.weights.h5",
                                                              "origin.json"]
    assert load_config_name(folder) == "random_whisper"
    model, loaded = model_from(folder, folder / "model.weights.h5")
    assert not loaded.unexpected and not loaded.mismatched
    assert {path.split("/")[0] for path in loaded.missing} == {"keyword"}
    assert report.parameters == sum(np.size(weight) for weight in model.backbone.weights)


def test_the_decoder_becomes_a_head(tmp_path):
    report = import_published(COMMITTED, tmp_path)
    assert report.heads == ["transcript"]
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["heads"]["transcript"] == {
        "type": "seq2seq", "layers": 1, "size": 16, "num_heads": 2, "dropout": 0.0, "maximum_tokens": 8,
        "units": ["<|nocaptions|>" if token == "<|nospeech|>" else token for token in VOCABULARY]}
    model = load(tmp_path)
    assert sum(np.size(weight) for weight in model.weights) == report.parameters
    assert not model.new_weights and model.origin.licence == "NOASSERTION"
    # Heads of one's own, on the same encoder; the decoder's weights are left over.
    mine, loaded = model_from(tmp_path, tmp_path / "model.weights.h5")
    assert {path.split("/")[0] for path in loaded.missing} == {"keyword"} and not loaded.mismatched
    assert {path.split("/")[0] for path in loaded.unexpected} == {"transcript"}


def load_config_name(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())["name"]


def test_a_known_file_brings_its_licence(known, tmp_path):
    report = import_published(COMMITTED, tmp_path, encoder_only=True)
    assert (report.name, report.licence, report.copyright) == ("Whisper tiny.en", "MIT", "Copyright (c) 2022 OpenAI")
    origin = read_origin(tmp_path)
    assert origin.summary() == {"licence": "MIT", "derived_from": [
        {"name": "Whisper tiny.en", "licence": "MIT", "copyright": "Copyright (c) 2022 OpenAI",
         "sha256": sha256_of(COMMITTED)}]}
    assert origin.derived_from[0]["licence_text"] == (REPOSITORY / "LICENSES/whisper-MIT.txt").read_text()
    values = json.loads((tmp_path / "origin.json").read_text())
    assert values["architecture"] == "whisper" and values["reference"] == "https://github.com/openai/whisper"
    assert values["file"] == {"name": "whisper.bin", "from": "whisper.bin", "sha256": sha256_of(COMMITTED),
                              "bytes": COMMITTED.stat().st_size}
    card = (tmp_path / "card.md").read_text()
    assert "licence: MIT, Copyright (c) 2022 OpenAI\n" in card and "35 arrays left out: decoder" in card
    assert values["arrays"]["used"] == len(report.used)
    assert sum(values["arrays"]["left_out"].values()) == len(report.left_out)


def test_of_an_unknown_file_nothing_is_claimed(tmp_path):
    report = import_published(COMMITTED, tmp_path)
    assert report.licence == read_origin(tmp_path).licence == "NOASSERTION" and not report.copyright
    assert "not known here" in read_origin(tmp_path).notices()


def test_an_import_replaces_an_earlier_one_and_nothing_else(tmp_path):
    first, second = (import_published(COMMITTED, tmp_path), import_published(COMMITTED, tmp_path))
    assert first == second
    (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds log.jsonl, which is no imported file; choose a new folder"):
        import_published(COMMITTED, tmp_path)


def test_a_bad_file_leaves_nothing(tmp_path):
    data = COMMITTED.read_bytes()
    (tmp_path / "model.bin").write_bytes(data.replace(b"WhisperSpec", b"WhispelSpec"))
    with pytest.raises(ValueError, match="holds a WhispelSpec of revision 3; only WhisperSpec"):
        import_published(tmp_path, tmp_path / "out")
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(ValueError, match="8 tokens, and no vocabulary.json or .* import the encoder alone"):
        import_published(tmp_path, tmp_path / "out")
    (tmp_path / "model.bin").write_bytes(data[:-9])
    with pytest.raises(ValueError, match="truncated"):
        import_published(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_never_lie_there_without_their_origin(tmp_path, monkeypatch):
    writes = []

    def full(path, data):
        writes.append(path.name)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("speechzoo.weights.write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        import_published(COMMITTED, tmp_path)
    assert writes == ["model.weights.h5"] and (tmp_path / "origin.json").is_file()


def test_reading_needs_no_tensorflow():
    code = ("import sys; from speechzoo.published import importing, whisper_decoder, ctranslate2\n"
            f"file = ctranslate2.CTranslate2File({str(COMMITTED)!r})\n"
            f"whisper_decoder.read_whisper(file, 'x', {VOCABULARY!r})\n"
            "print([name for name in ('tensorflow', 'keras', 'torch', 'ctranslate2') if name in sys.modules])")
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert child.stdout == "[]\n", child.stdout + child.stderr


@pytest.mark.published
@pytest.mark.skipif(not REAL, reason="SPEECHZOO_WHISPER_TINY_EN names no model.bin")
def test_the_published_file(tmp_path):
    assert import_published(REAL, tmp_path, encoder_only=True).parameters == 7_632_384
    report = import_published(REAL, tmp_path)
    assert (report.name, report.licence) == ("Whisper tiny.en", "MIT")
    # All 37.2 million of openai-whisper's, but for the table of the encoder's positions.
    assert report.parameters == 37_184_256
    head = yaml.safe_load((tmp_path / "config.yaml").read_text())["heads"]["transcript"]
    assert (head["units"], head["layers"], head["maximum_tokens"]) == ("whisper_en", 4, 448)
    assert sum(array.size for array in read_arrays(tmp_path / "model.weights.h5").values()) == report.parameters
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["backbone"] == {
        "type": "whisper", "size": 384, "num_blocks": 4, "num_heads": 6}
