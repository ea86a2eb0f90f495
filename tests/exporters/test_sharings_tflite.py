"""Sharings export: those that add layers, all in one network, because a conversion costs many seconds."""

import keras
import numpy as np
import pytest

from speechzoo.backbones import BACKBONES
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.network.flatbuffer import custom_operators
from speechzoo.exporters.network.macs import count_tflite_macs
from speechzoo.exporters.tflite import export_tflite
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import ClassifierHead
from speechzoo.multitask.macs import count_macs
from speechzoo.multitask.model import MultiTaskModel
from speechzoo.multitask.sharing import SHARINGS, Sharing
from tests.helpers import spread_weights, tone

SOUNDS = [tone(0.5, 300, seed=1), tone(0.7, 900, seed=2)]
CONFORMER = {"size": 8, "num_blocks": 2, "num_heads": 2, "feed_forward_size": 8, "subsampling_channels": 3}
# What the others are made of, whole backbones and the gates of ple, exports already.
METHODS = ["adapters", "cross_stitch", "mtan", "nddr", "ple"]
# One of them on a backbone without frequency bins.
PARTS = {method: ("conformer", CONFORMER) if method == "cross_stitch" else ("ds_cnn", {"channels": 4, "num_blocks": 2})
         for method in METHODS}


class Several(Sharing):
    """Sharings side by side, each of which answers the heads `<its name>_a` and `<its name>_b`."""

    def __init__(self):
        super().__init__(BACKBONES["ds_cnn"](num_blocks=2), [])
        self.parts = {method: SHARINGS[method](BACKBONES[kind](name=method, **options), [f"{method}_a", f"{method}_b"])
                      for method, (kind, options) in PARTS.items()}

    def __call__(self, features, lengths, blocks, training=None):
        frames = {}
        for method, part in self.parts.items():
            own = {head: block for head, block in blocks.items() if head.startswith(f"{method}_")}
            frames.update(part(features, lengths, own, training)[0])
        return frames, None  # the rates differ; nothing is padded here


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    heads = {f"{method}_{head}": ClassifierHead(["x", "y"], name=f"{method}_{head}")
             for method in METHODS for head in "ab"}
    frontend = FRONTENDS["log_mel"](num_mel_bins=16, name="frontend")
    first_blocks = {name: 1 for name in heads if name.endswith("b")}
    model = MultiTaskModel(frontend, Several(), heads, first_blocks, name="several")
    spread_weights(model)
    return model


def test_float32_gives_what_keras_gives_in_builtin_operators(model, tmp_path):
    path = export_tflite(model, tmp_path, "none", SOUNDS).path
    assert custom_operators(path.read_bytes()) == []
    audio = tone(0.31, 500, seed=3)  # another length than the exporter measured
    expected, got = model.batch_outputs([audio])[0], EdgeModel(path).batch_outputs([audio])[0]
    for name in model.heads:
        np.testing.assert_allclose(got[name], expected[name], atol=1e-4, rtol=0, err_msg=name)
    assert count_tflite_macs(path, 1.0) == pytest.approx(count_macs(model, 1.0), rel=0.02)
