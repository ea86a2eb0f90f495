"""Tiny causal models, one for each backbone that can stream."""

import functools

import keras
import numpy as np

from speechzoo.config import ZooConfig, from_dict
from speechzoo.multitask.build import build_model

BACKBONES = {
    "conformer": {"size": 16, "num_blocks": 2, "num_heads": 2, "kernel_size": 5, "subsampling_channels": 4,
                  "normalization": "layer", "chunk": 2, "left_context": 5},
    "ds_cnn": {"channels": 6, "num_blocks": 2},
    "bc_resnet": {"width": 4, "stage_blocks": [1, 1, 1, 1], "bands": 2},
    "crdnn": {"channels": [3, 4], "lstm_size": 5, "num_blocks": 2, "dense_size": 6},
    "lstm": {"size": 6, "num_blocks": 1, "context": 2},
}
HEADS = {
    "letters": {"type": "ctc", "units": ["a", "b", " "], "label": "transcript"},
    "keyword": {"type": "classifier", "classes": ["yes", "no", "_unknown_"], "block": 1, "memory": 12},
    "gender": {"type": "classifier", "classes": ["female", "male"]},
    "slots": {"type": "slots", "slots": {"size": ["large", "small"], "drink": ["coffee"]}},
    "speaker": {"type": "speaker", "embedding_size": 6, "block": 1},
    "speech": {"type": "frame_classifier", "classes": ["none", "speech"], "block": 1},
}


def streaming_config(backbone: str, heads=None, frontend=None, **options) -> ZooConfig:
    """The config of a tiny causal model; `options` replace those of the backbone."""
    return from_dict(ZooConfig, {
        "name": f"tiny_{backbone}_streaming", "summary": "Hears step by step.",
        "frontend": {"type": "log_mel", "num_mel_bins": 16, "causal": True, **(frontend or {})},
        "backbone": {"type": backbone, "causal": True, **BACKBONES[backbone], **options},
        "heads": {name: HEADS[name] for name in heads or HEADS}})


def spread(model):
    """Moves every weight of the heads and every stored statistic, so that each one matters."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        if "variance" in variable.name:
            variable.assign(random.uniform(0.5, 2.0, variable.shape))
        else:
            variable.assign(variable + 0.2 * random.standard_normal(variable.shape))
    return model


@functools.cache
def streaming_model(backbone: str, **options):
    """A tiny causal model whose heads have something to say."""
    keras.utils.set_random_seed(1)
    return spread(build_model(streaming_config(backbone, **options)))
