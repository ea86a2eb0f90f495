"""What every sharing has in common."""

import keras


class Sharing:
    """Features -> the frames that each head reads: how the heads share networks.

    A sharing is no layer. It owns the layers that its method needs and connects them in a call, so that a functional
    model holds exactly those that its heads reach: a model with some of the heads has none of the parameters that only
    the others need, and neither has its export.

    Args:
        backbone: A backbone that has no weights yet: the one network of `hard`, the pattern of all others.
        tasks: Names of all heads of the config, in its order; also of those that a model leaves out, because their
            networks may feed the others.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        blocks: Head -> 1-based block of the backbone that it reads, for the heads to answer; some of `tasks`.
        training: As of layers; None lets Keras decide.

    Returns:
        Head -> frames (batch, frames out, channels); their lengths.

    Attributes:
        cost: Parameters and computing beyond those of one backbone, in words.
        one_network: Whether all heads read frames of the backbone itself.
        mixes_tasks: Whether what a head reads depends on which other tasks there are, and on their order.
    """

    cost = "one backbone"
    one_network = False
    mixes_tasks = False

    def __init__(self, backbone, tasks: list[str]):
        self.backbone = backbone
        self.tasks = list(tasks)

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        frames, lengths = self.backbone(features, lengths, training=training)
        return {head: frames[block - 1] for head, block in blocks.items()}, lengths

    def get_config(self) -> dict:
        """The arguments of the constructor, for `.keras` files; a method adds its own options."""
        return {"backbone": keras.saving.serialize_keras_object(self.backbone), "tasks": self.tasks}

    @classmethod
    def from_config(cls, config: dict) -> "Sharing":
        """The sharing that `get_config` describes, with random weights."""
        return cls(**{**config, "backbone": keras.saving.deserialize_keras_object(config["backbone"])})

    def copy_of_backbone(self, suffix: str = ""):
        """A backbone of the same settings with weights of its own; `suffix` goes behind its name."""
        name = f"{self.backbone.name}_{suffix}" if suffix else self.backbone.name
        return type(self.backbone).from_config({**self.backbone.get_config(), "name": name})
