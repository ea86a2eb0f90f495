"""The licence of weights is in whatever is exported, with the texts of those that they derive from."""

import json

import keras
import numpy as np
import pytest

from speechzoo.config import ZooConfig, from_dict
from speechzoo.edge.artifact import read_artifact
from speechzoo.exporters import export
from speechzoo.multitask.build import build_model
from speechzoo.origin import Origin
from tests.helpers import ORIGIN, tone

CONFIG = {
    "name": "tiny",
    "summary": "A head that every format takes, and one more.",
    "frontend": {"type": "log_mel", "num_mel_bins": 16, "transform": "fft"},
    "backbone": {"type": "ds_cnn", "channels": 8, "num_blocks": 1},
    "heads": {"keyword": {"type": "classifier", "classes": ["yes", "no"]},
              "gender": {"type": "classifier", "classes": ["female", "male"]}},
}
SOUNDS = [tone(1.6, 300, seed=1), tone(1.1, 900, seed=2)]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    model = build_model(from_dict(ZooConfig, CONFIG))
    model.frontend.adapt([(audio[None], np.array([len(audio)])) for audio in SOUNDS])
    return model


@pytest.mark.parametrize("format", ["tflite", "saved_model", "micro"])
@pytest.mark.parametrize("origin", [ORIGIN, Origin("Apache-2.0"), Origin()])
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
