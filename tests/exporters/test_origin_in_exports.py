"""The licence of weights is in whatever is exported, with the texts of those that they derive from."""

import json

import numpy as np
import pytest

from speechzoo.edge.artifact import read_artifact
from speechzoo.exporters import export
from speechzoo.origin import Origin
from tests.helpers import ORIGIN, tone
from tests.tiny_models import build, tiny

CONFIG = tiny("tiny", {"type": "log_mel", "transform": "fft"}, {"type": "ds_cnn", "channels": 8, "num_blocks": 1},
              {"keyword": {"classes": ["yes", "no"]}, "gender": {}})
SOUNDS = [tone(1.6, 300, seed=1), tone(1.1, 900, seed=2)]


@pytest.fixture(scope="module")
def model():
    model = build(CONFIG, spread=False)
    model.frontend.adapt([(audio[None], np.array([len(audio)])) for audio in SOUNDS])
    return model


@pytest.mark.parametrize("format, origin", [
    ("tflite", ORIGIN), ("saved_model", ORIGIN), ("micro", ORIGIN), ("tflite", Origin("Apache-2.0")),
    ("tflite", Origin()), ("saved_model", Origin()), ("micro", Origin())])
def test_origin(model, format, origin, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "origin", origin)
    written = export(model, tmp_path, format, heads=["keyword"], representative=SOUNDS)
    if format == "tflite":
        artifact = read_artifact(written)
        shown = {"licence": artifact.licence, "derived_from": artifact.derived_from}
        assert artifact.notices == origin.notices()
    else:
        folder, name = (written / "assets.extra", "origin.json") if format == "saved_model" else (written, "report.json")
        shown = json.loads((folder / name).read_text())
        notices = folder / "licences.txt"
        assert (notices.read_text() if notices.exists() else "") == origin.notices()
    assert shown.get("licence", "") == origin.licence
    assert shown.get("derived_from", []) == origin.summary().get("derived_from", [])
