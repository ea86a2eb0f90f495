"""Front ends, sharings and heads export; the latter in one network, because a conversion costs many seconds.

Backbones have a file of their own.
"""

import itertools

import keras
import pytest

from speechzoo.backbones import BACKBONES
from speechzoo.exporters.network.macs import count_tflite_macs
from speechzoo.exporters.tflite import export_tflite
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import HEADS
from speechzoo.multitask.macs import count_macs
from speechzoo.multitask.model import MultiTaskModel
from speechzoo.multitask.sharing import SHARINGS, Sharing
from tests import tiny_parts
from tests.helpers import spread_weights, tone
from tests.model_checks import check_export
from tests.tiny_models import build, tiny

SOUNDS = [tone(0.5, 300, seed=1), tone(0.7, 900, seed=2)]
# What the others are made of, whole backbones and the gates of ple, exports already.
METHODS = ["adapters", "cross_stitch", "mtan", "nddr", "ple"]
# One of them on a backbone without frequency bins.
ON = {method: "tc_resnet" if method == "cross_stitch" else "ds_cnn" for method in METHODS}


class Several(Sharing):
    """Sharings side by side, each of which answers the heads `<its name>_a` and `<its name>_b`."""

    def __init__(self):
        super().__init__(BACKBONES["ds_cnn"](num_blocks=2), [])
        self.parts = {method: SHARINGS[method](BACKBONES[kind](name=method, **tiny_parts.BACKBONES[kind]),
                                               [f"{method}_a", f"{method}_b"], **tiny_parts.SHARINGS[method])
                      for method, kind in ON.items()}

    def __call__(self, features, lengths, blocks, training=None):
        frames = {}
        for method, part in self.parts.items():
            own = {head: block for head, block in blocks.items() if head.startswith(f"{method}_")}
            frames.update(part(features, lengths, own, training)[0])
        return frames, None  # the rates differ; nothing is padded here


@pytest.fixture(scope="module")
def model():
    """Sharings behind a front end; their heads are of every type."""
    keras.utils.set_random_seed(1)
    names = [f"{method}_{head}" for method in METHODS for head in "ab"]
    kinds = [kind for kind, head in HEADS.items() if not head.auxiliary]  # which are for training only
    assert len(names) >= len(kinds)
    heads = {name: HEADS[kind](name=name, **tiny_parts.HEADS[kind])
             for name, kind in zip(names, itertools.cycle(kinds))}
    frontend = FRONTENDS["log_mel"](num_mel_bins=16, name="frontend")
    first_blocks = {name: 1 for name in heads if name.endswith("b")}
    model = MultiTaskModel(frontend, Several(), heads, first_blocks, name="several")
    spread_weights(model)
    return model


def test_float32_gives_what_keras_gives_in_builtin_operators(model, tmp_path):
    path = export_tflite(model, tmp_path, "none", SOUNDS).path
    check_export(path, model)
    assert count_tflite_macs(path, 1.0) == pytest.approx(count_macs(model, 1.0), rel=0.02)


@pytest.mark.parametrize("name", [name for name in FRONTENDS if name != "log_mel"])
def test_other_front_ends(name, tmp_path):
    model = build(tiny(frontend=name))
    check_export(export_tflite(model, tmp_path, "none", SOUNDS).path, model)
