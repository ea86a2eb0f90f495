"""A backbone whose steps are layers of a functional model, so that methods can act between its blocks."""

import keras

from speechzoo.backbones import Backbone


@keras.saving.register_keras_serializable(package="speechzoo")
class Step(keras.layers.Layer):
    """The stem (number 0) or one block of a backbone, with the weights of that step only.

    Args:
        backbone: Backbone that takes the step; several steps have it in common.
        number: Which one.

    Call arguments:
        stream: As `Backbone` describes it; for the stem, `hidden` are the features.
    """

    def __init__(self, backbone: Backbone, number: int, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.number = number

    def build(self, stream_shape):
        # Parameters are named as in the backbone as a whole: a checkpoint of one fits the other.
        with keras.name_scope(self.backbone.name, override_parent=""):
            if self.number:
                self.backbone.build_block(self.number, stream_shape["hidden"])
            else:
                self.backbone.build_stem(stream_shape["hidden"])

    def call(self, stream, training=False):
        """The stream before the step -> the stream after it."""
        if self.number:
            return self.backbone.block(self.number, stream, training)
        return self.backbone.stem(stream["hidden"], stream["lengths"], training)


@keras.saving.register_keras_serializable(package="speechzoo")
class Frames(keras.layers.Layer):
    """What leaves a backbone after a block; no weights. Arguments as of `Step`."""

    def __init__(self, backbone: Backbone, number: int, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.number = number
        self.built = True

    def call(self, stream, training=False):
        """The stream after a block -> (batch, frames, channels)."""
        return self.backbone.frames(self.number, stream, training)


class Network:
    """A backbone in steps. A step has weights from its first call on; one that is never taken has none.

    Args:
        backbone: Backbone without weights; it is not used by anything else. Its steps are layers with its name and
            `_stem`, `_1`, `_2`, ... behind it.

    Raises:
        ValueError: A layer that doesn't run block by block.
    """

    def __init__(self, backbone: Backbone):
        if not isinstance(backbone, Backbone):
            raise ValueError(f"{type(backbone).__name__} is no speechzoo.backbones.Backbone: it doesn't run block by "
                             "block, which this sharing needs; use hard, soft, mmoe or mtan")
        self.backbone = backbone
        numbers = range(backbone.num_blocks + 1)
        self.steps = [Step(backbone, number, name=f"{backbone.name}_{number or 'stem'}") for number in numbers]
        self.exits = [Frames(backbone, number, name=f"{backbone.name}_frames_{number}") for number in numbers]

    def run(self, stream: dict, first: int, last: int, training=None) -> dict:
        """The stream after steps `first` to `last`; step 0 is the stem."""
        for number in range(first, last + 1):
            stream = self.steps[number](stream, training=training)
        return stream

    def frames(self, number: int, stream: dict, training=None):
        """(batch, frames out, channels) that leave after block `number`."""
        return self.exits[number](stream, training=training)


def features_stream(features, lengths) -> dict:
    """What the stem takes."""
    return {"hidden": features, "lengths": lengths}
