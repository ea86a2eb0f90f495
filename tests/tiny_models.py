"""Small models made of `tests.tiny_parts`: configs as YAML files hold them, and models that tests share."""

import functools

import keras
import numpy as np

from speechzoo.config import ZooConfig, from_dict
from speechzoo.multitask.build import build_model
from tests.helpers import spread_weights
from tests.tiny_parts import BACKBONES, FRONTENDS, HEADS, STREAMING

# What tests ask for by name.
NAMED_HEADS = {
    "alignment": {"type": "alignment", **HEADS["alignment"]},
    "gender": {"type": "classifier", "classes": ["female", "male"]},
    "keyword": {"type": "classifier", **HEADS["classifier"]},
    "letters": {"type": "ctc", **HEADS["ctc"], "label": "transcript"},
    "phones": {"type": "ctc", "units": "phones"},
    "slots": {"type": "slots", **HEADS["slots"]},
    "speaker": {"type": "speaker", **HEADS["speaker"]},
    "speech": {"type": "frame_classifier", **HEADS["frame_classifier"]},
}
# Every kind of answer; keyword follows the stream, and half of them read the first of two blocks.
STREAMING_HEADS = {"letters": {}, "keyword": {"block": 1, "memory": 12}, "gender": {}, "slots": {},
                   "speaker": {"block": 1}, "speech": {"block": 1}}


def tiny(name: str = "tiny", frontend="log_mel", backbone="ds_cnn", heads=("keyword",), **sections) -> dict:
    """A zoo config.

    Args:
        frontend, backbone: The type, or a mapping with it and with options beside those of `tests.tiny_parts`.
        heads: Names of `NAMED_HEADS`; or name -> options beside those of the name; with a `type`, in their place.
        sections: The config's other sections.
    """
    def part(given, parts):
        given = {"type": given} if isinstance(given, str) else given
        return {**parts[given["type"]], **given}

    heads = heads if isinstance(heads, dict) else dict.fromkeys(heads, {})
    return {"name": name, "summary": "For tests.", "frontend": part(frontend, FRONTENDS),
            "backbone": part(backbone, BACKBONES),
            "heads": {head: options if "type" in options else {**NAMED_HEADS[head], **options}
                      for head, options in heads.items()}, **sections}


def streaming(backbone: str = "ds_cnn", frontend="log_mel", heads=tuple(STREAMING_HEADS), **options) -> dict:
    """A zoo config of a causal model; `options` are those of the backbone. For the rest see `tiny`."""
    frontend = {"type": frontend} if isinstance(frontend, str) else frontend
    causal = {} if frontend["type"] == "micro_features" else {"causal": True}  # which always is
    return tiny(f"tiny_{backbone}_streaming", {**causal, **frontend},
                {"type": backbone, "causal": True, **STREAMING[backbone], **options},
                heads if isinstance(heads, dict) else {head: STREAMING_HEADS[head] for head in heads})


def build(config: dict, spread: bool = True, **options):
    """A new model of a zoo config, with the same weights each time.

    Args:
        spread: Move every weight off its initial value, so that each one matters and every head has something to say.
        options: Those of `build_model`.
    """
    keras.utils.set_random_seed(1)
    model = build_model(from_dict(ZooConfig, config), **options)
    if spread:
        spread_weights(model, seed=1)
    return model


@functools.cache
def streaming_model(backbone: str, **options):
    """The model of `streaming(...)`, which nobody may change."""
    return build(streaming(backbone, **options))


EXPORTED = tiny(
    backbone={"type": "conformer", "size": 16, "num_blocks": 1, "feed_forward_size": 64, "kernel_size": 9,
              "subsampling_channels": 8},
    heads={"transcript": {"type": "ctc", "units": ["\u2581", "\u2581a", "b", "c", "\u2581de"]},
           "letters": {"type": "ctc", "units": "characters"}, "phones": {}, "keyword": {},
           "language": {"type": "classifier", "classes": ["en", "ar"]},
           "slots": {"slots": {"size": ["large", "small"], "drink": ["coffee", "café crème"]}},
           "speaker": {}, "speech": {}})
"""A one-block Conformer with every kind of answer, which exporters, servers and devices are tested with."""


@functools.cache
def tiny_model():
    """The model of `EXPORTED`, which nobody may change."""
    model = build(EXPORTED, spread=False)
    random = np.random.default_rng(1)
    for head in model.heads.values():
        for variable in head.trainable_variables:
            variable.assign(variable + 0.5 * random.standard_normal(variable.shape))
    return model
