"""Speaker encoders of Resemblyzer and SpeechBrain: every array once, and what else such a file may be."""

import json
import os

import numpy as np
import pytest

from speechzoo.published import importing
from speechzoo.published.importing import import_published
from speechzoo.published.resemblyzer import is_resemblyzer, read_resemblyzer
from speechzoo.published.speechbrain_ecapa import is_speechbrain_ecapa, read_speechbrain_ecapa
from speechzoo.registry import load
from speechzoo.weights import sha256_of
from tests.helpers import tone
from tests.published.tiny_speakers import resemblyzer, speechbrain_ecapa

# Name -> (arrays, whether they are known, reader, an array of the encoder, one of the head, sizes that travel).
KINDS = {
    "resemblyzer": (resemblyzer, is_resemblyzer, read_resemblyzer, "model_state.lstm.bias_hh_l1",
                    "model_state.linear.bias", {"size": 6, "num_blocks": 3}),
    "speechbrain": (speechbrain_ecapa, is_speechbrain_ecapa, read_speechbrain_ecapa,
                    "blocks.2.res2net_block.blocks.1.norm.norm.running_var", "asp.tdnn.conv.conv.weight",
                    {"size": 12, "num_blocks": 3, "scale": 3, "squeeze_size": 5, "aggregation_size": 10}),
}
REAL = os.environ.get("SPEECHZOO_RESEMBLYZER", "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_is_used_once_or_left_out_with_a_reason(kind):
    make, recognises, read, *_, sizes = KINDS[kind]
    arrays = make()
    model = read(arrays, "x")
    assert recognises(arrays) and sorted([*model.used, *model.left_out]) == sorted(arrays)
    assert sizes.items() <= model.backbone.items()
    assert all(model.left_out.values()) and not set(model.used) & set(model.left_out)
    encoder = read(arrays, "x", encoder_only=True)
    assert not encoder.heads and sorted([*encoder.used, *encoder.left_out]) == sorted(arrays)
    assert {name.split("/")[0] for name in encoder.weights} == {"backbone"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_imported_opens_as_a_model(kind, tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy", reason="no safetensors: pip install speechzoo[hub]")
    make, *_ = KINDS[kind]
    numpy_files.save_file(make(), tmp_path / "weights.safetensors")
    report = import_published(tmp_path / "weights.safetensors", tmp_path / "imported")
    assert report.heads == ["speaker"] and report.licence == "NOASSERTION"
    assert report.name.endswith("(a file that is not known)") and "Whisper" not in report.name
    model = load(tmp_path / "imported")
    assert not model.new_weights
    assert report.parameters == sum(np.size(weight) for weight in model.weights)
    embedding = model.recognize(tone(1.0, seed=1), 16000).speaker
    np.testing.assert_allclose(np.linalg.norm(embedding), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_unknown_or_broken_is_named(kind):
    make, _, read, encoder, head, _ = KINDS[kind]
    for name in (encoder, head):
        arrays = make()
        del arrays[name]
        with pytest.raises(ValueError, match=f"x: has no '{name}'; only files of"):
            read(arrays, "x")
        arrays = make()
        arrays[name] = arrays[name][:-1]
        with pytest.raises(ValueError, match=f"x: '{name}' has .* expected; only files of"):
            read(arrays, "x")
        arrays = make()
        arrays[name].flat[0] = np.nan
        with pytest.raises(ValueError, match=f"'{name}' holds numbers that are not finite"):
            read(arrays, "x")
    with pytest.raises(ValueError, match="x: 1 arrays that .* doesn't have, such as 'more'"):
        read(make() | {"more": np.zeros(1, np.float32)}, "x")


def test_groups_that_do_not_divide_the_channels_are_refused():
    arrays = speechbrain_ecapa()
    del arrays["blocks.1.res2net_block.blocks.1.conv.conv.weight"]
    extra = {f"blocks.1.res2net_block.blocks.{group}.conv.conv.weight": np.zeros(1) for group in range(1, 6)}
    with pytest.raises(ValueError, match="has 12 channels, which 7 groups do not divide"):
        read_speechbrain_ecapa(arrays | extra, "x")


def test_resemblyzers_file_brings_its_licence(tmp_path, monkeypatch):
    numpy_files = pytest.importorskip("safetensors.numpy", reason="no safetensors: pip install speechzoo[hub]")
    path = tmp_path / "pretrained.safetensors"
    numpy_files.save_file(resemblyzer(), path)
    known = importing.KNOWN_FILES["39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"]
    monkeypatch.setattr(importing, "KNOWN_FILES", {sha256_of(path): known})
    report = import_published(path, tmp_path / "imported")
    assert (report.licence, report.copyright) == ("Apache-2.0", "Copyright 2019 Resemble.AI")
    (derived,) = json.loads((tmp_path / "imported" / "origin.json").read_text())["derived_from"]
    assert "Apache License" in derived["licence_text"] and "Copyright 2019 Resemble.AI" in derived["licence_text"]


@pytest.mark.published
@pytest.mark.skipif(not REAL, reason="SPEECHZOO_RESEMBLYZER names no package of Resemblyzer's or pretrained.pt")
def test_the_published_file(tmp_path):
    report = import_published(REAL, tmp_path)
    assert (report.name, report.licence) == ("Resemblyzer's speaker encoder", "Apache-2.0")
    # Its 1,423,616 weights, of which 3,072 are second biases that are added to the first.
    assert report.parameters == 1_420_544
    assert load("speaker_ge2e", weights=tmp_path).new_weights == []
