"""A method with the network that it needs, and the zoo model that comes out."""

import keras
import numpy as np

from speechzoo.config import ConfigError
from speechzoo.heads import ClassifierHead, RelationHead
from speechzoo.heads.relation import RelationScore
from speechzoo.meta.methods import METHODS, Method
from speechzoo.meta.settings import MetaSettings
from speechzoo.registry import load, read_config
from speechzoo.weights import assign_values


def build_method(settings: MetaSettings, model, ways: int, statistics: tuple[np.ndarray, np.ndarray]) -> Method:
    """The method with a head that starts at random, always the same for the same seed.

    Args:
        settings: Of the run.
        model: The `MultiTaskModel` that the head is for.
        ways: Classes that a task has.
        statistics: Mean and deviation of pooled frames of the training classes, for baselines.
    """
    kind = METHODS[settings.method]
    block = block_of(settings, model)
    frames, lengths = model.features(model.input)
    keras.utils.set_random_seed(settings.seed)
    shape = frames[block - 1].shape
    head = make_head(settings, [f"word_{number + 1}" for number in range(ways)])
    head.build(shape, (None,))
    if kind.reads_pooled:
        return kind(*statistics, ways, head=head)
    if settings.train_backbone:
        inputs, frames, lengths = model.input, frames[block - 1], lengths
    else:
        frames, lengths = keras.Input(shape[1:], name=f"frames_{block}"), keras.Input((), dtype="int32",
                                                                                      name="frame_length")
        inputs = {f"frames_{block}": frames, "frame_length": lengths}
    embedding = head.hidden(head.pooling(frames, lengths))
    network = keras.Model(inputs, embedding if kind.output == "embedding" else head.logits(embedding))
    options = {"head": head}
    if settings.method == "relation":
        options["relation"] = head.logits.relation
    if kind.output == "embedding":
        options["ways"] = ways
    options |= {name: value for name, value in (("inner_rate", settings.inner_rate), ("steps", settings.steps))
                if value is not None}
    return kind(network, **options)


def block_of(settings: MetaSettings, model) -> int:
    """The block that the head reads.

    Raises:
        ValueError: The backbone doesn't have it.
    """
    blocks = model.backbone.num_blocks
    block = settings.block or blocks
    if not 1 <= block <= blocks:
        raise ValueError(f"block {block}: the backbone of '{model.name}' has blocks 1 to {blocks}")
    return block


def head_config(settings: MetaSettings, classes: list[str]) -> dict:
    """The head as a config has it."""
    kind = METHODS[settings.method]
    return {"type": "relation" if settings.method == "relation" else "classifier", "label": settings.label,
            "block": settings.block, "classes": classes,
            "hidden_size": 0 if kind.reads_pooled else settings.hidden_size}


def make_head(settings: MetaSettings, classes: list[str]) -> ClassifierHead:
    """The head alone."""
    config = head_config(settings, classes)
    kind = RelationHead if config["type"] == "relation" else ClassifierHead
    return kind(classes, hidden_size=config["hidden_size"], label=settings.label, name=settings.head)


def check_head_name(settings: MetaSettings):
    """Raises ConfigError where the model has a head of that name."""
    own = read_config(settings.model).heads
    if settings.head in own:
        raise ConfigError(f"{settings.model}: has a head '{settings.head}' already; give the new one another name "
                          "(--head)")


def assemble(settings: MetaSettings, classes: list[str], values: dict[str, np.ndarray]):
    """The zoo model with the head: the base's own heads, too, where their backbone is what it was.

    Args:
        settings: Of the run.
        classes: Names of the classes, in the order of the outputs.
        values: Path of a weight -> value, of all that was learnt.
    """
    old = {} if settings.train_backbone else dict.fromkeys(read_config(settings.model).heads, {})
    heads = {**old, settings.head: {key: value for key, value in head_config(settings, classes).items()
                                    if value is not None}}
    model = load(settings.model, heads=heads)
    report = assign_values(model, {path: np.asarray(value, np.float32) for path, value in values.items()},
                           "what was learnt", strict=False)
    if report.unexpected or report.mismatched:
        raise ValueError(f"what was learnt doesn't fit {settings.model}: {(report.unexpected + report.mismatched)[0]}; "
                         "the model has changed since; run again into another folder")
    model.new_weights = []
    return model
