"""A small model with a head of every type, exported and served once for all tests of this process."""

import atexit
import functools

import keras
import numpy as np

from speechzoo.config import ZooConfig, from_dict
from speechzoo.exporters.served.saved_model import export_saved_model
from speechzoo.multitask.build import build_model
from tests.helpers import tone

CONFIG = {
    "name": "tiny",
    "summary": "A head of every type.",
    "frontend": {"type": "log_mel", "num_mel_bins": 16},
    "backbone": {"type": "conformer", "size": 16, "num_blocks": 1, "num_heads": 2, "subsampling_channels": 8},
    "heads": {
        "transcript": {"type": "ctc", "units": ["\u2581", "\u2581a", "b", "c", "\u2581de"]},
        "letters": {"type": "ctc", "units": "characters"},
        "phones": {"type": "ctc", "units": "phones"},
        "keyword": {"type": "classifier", "classes": ["yes", "no", "_unknown_"]},
        "language": {"type": "classifier", "classes": ["en", "ar"]},
        "slots": {"type": "slots", "slots": {"size": ["large", "small"], "drink": ["coffee", "café crème"]}},
        "speaker": {"type": "speaker", "embedding_size": 6},
        "speech": {"type": "frame_classifier", "classes": ["none", "speech"]},
    },
}
_shared = {}


@functools.cache
def tiny_model():
    """A one-block Conformer; its weights are spread so that the heads have something to say."""
    keras.utils.set_random_seed(1)
    model = build_model(from_dict(ZooConfig, CONFIG))
    random = np.random.default_rng(1)
    for head in model.heads.values():
        for variable in head.trainable_variables:
            variable.assign(variable + 0.5 * random.standard_normal(variable.shape))
    return model


def exported(tmp_path_factory):
    """`.../models/tiny`, the folder of versions of the tiny model; version 1 is in it."""
    if "tiny" not in _shared:
        sounds = [tone(0.3, seed=1), tone(0.5, 700)]
        written = export_saved_model(tiny_model(), tmp_path_factory.mktemp("models"), sounds, card="# tiny\n")
        _shared["tiny"] = written.path.parent
    return _shared["tiny"]


def serving(tmp_path_factory):
    """A running stand-in that serves it as `tiny` and, for the commands of the kit, as `mtl_conformer_small`."""
    from tests.serving.stand_in import StandIn

    if "server" not in _shared:
        folder = exported(tmp_path_factory)
        _shared["server"] = StandIn({"tiny": folder, "mtl_conformer_small": folder}).__enter__()
        atexit.register(_shared["server"].__exit__)
    return _shared["server"]
