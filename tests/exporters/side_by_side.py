"""Backbones in one network, because a conversion costs many seconds."""

import math

from speechzoo.backbones import BACKBONES, Backbone
from speechzoo.layers.stream_state import part_of


class SideBySide(Backbone):
    """Its blocks are the last frames of other backbones, at a rate that divides all of theirs.

    Args:
        options: Name of a backbone in `BACKBONES` -> its options.
    """

    def __init__(self, options: dict, causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        causality = {"causal": True} if causal else {}
        self.backbones = [BACKBONES[name](name=name, **causality, **values) for name, values in options.items()]
        self.num_blocks, self.causal = len(options), causal
        self.subsampling = math.lcm(*(backbone.subsampling for backbone in self.backbones))

    def build(self, features_shape, *_):
        for backbone in self.backbones:
            backbone.build(features_shape)

    def call(self, features, lengths=None, training=False, state=None):
        outputs = []
        for backbone in self.backbones:
            (*_, frames), _ = backbone(features, lengths, training=training, state=part_of(state, backbone.name))
            outputs.append(frames[:, ::self.subsampling // backbone.subsampling])
        return outputs, None if lengths is None else -(-lengths // self.subsampling)
