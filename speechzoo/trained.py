"""Trained weights for a model some of whose heads are new."""

import logging
import re
from pathlib import Path

from speechzoo.config import ZooConfig, create
from speechzoo.decoding.answers import answer_kind
from speechzoo.layers.quantizable import InputRange
from speechzoo.multitask.resting import layers_of
from speechzoo.pretraining import head_types
from speechzoo.weights import LoadReport, assign_values, read_arrays

_LOGGER = logging.getLogger(__name__)


def assign_trained(model, source: Path, trained: ZooConfig, new_heads: dict) -> list[str]:
    """Gives a model the weights of a file, in which those of new heads may be missing.

    Args:
        model: A `MultiTaskModel`.
        source: The weights file.
        trained: The config of the model that was trained.
        new_heads: Head -> its config, of the heads that differ from those of `trained`.

    Returns:
        Paths of the weights that are new, and start at random.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged, or lacks weights of other heads than the new ones.
    """
    if new_heads and model.sharing.mixes_tasks and model.sharing.tasks != list(trained.heads):
        raise ValueError(f"model '{model.name}': sharing '{trained.sharing.type}' mixes the networks of all heads, "
                         "so that trained weights are for these alone; name all of them, in their order: "
                         f"{', '.join(trained.heads)}")
    values = read_arrays(source)
    fitting = {weight.path for weight in model.weights if weight.path in values
               and values[weight.path].shape == tuple(weight.shape)}
    for name in _with_other_labels(model, trained, new_heads):
        head = model.heads[name]
        own = {weight.path for weight in head.weights}
        needed = own - {weight.path for weight in head.optional_weights}
        if needed <= fitting:  # as many labels, and others: the weights would give the old ones new names
            values = {path: value for path, value in values.items() if path not in own}
    report = assign_values(model, values, str(source), strict=False)
    # What is left over belongs to heads that were not asked for, or to training (speaker prototypes).
    optional = {weight.path for part in (model.weighting, *model.heads.values()) for weight in part.optional_weights}
    lacking = [path for path in (entry.partition(":")[0] for entry in report.missing + report.mismatched)
               if path not in optional]
    unexpected = [path for path in lacking if not any(_belongs_to(path, head) for head in new_heads)]
    if unexpected:
        raise ValueError(f"{source}: {len(unexpected)} weights of the model are not in it, such as {unexpected[0]}; "
                         "name new heads with their configs (heads={...}), or load with weights=None and use "
                         "speechzoo.weights.load_weights(model, path, strict=False) to start from what fits")
    if lacking:
        _LOGGER.info("%s: %d weights are new and start at random, such as %s", model.name, len(lacking), lacking[0])
    return lacking


def assign_backbone(model, source: Path) -> LoadReport:
    """Gives the front end and the backbone of a model the weights that they have in a file.

    Where heads share otherwise than by one backbone, each of their networks gets those of the one in the file.

    Args:
        model: A `MultiTaskModel`, of which the heads may have nothing in common with the file's.
        source: The weights file, of a model all of whose heads share one backbone.

    Returns:
        What is new, and starts at random, as missing; what the file has beside front end and backbone, as unexpected.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged, or its front end and backbone aren't of this size.
    """
    values = read_arrays(source)
    # Of a training that is aware of quantization, which begins without them.
    ranges = {id(weight) for layer in layers_of(model) if isinstance(layer, InputRange) for weight in layer.weights}
    chosen = {}
    for weight in model.weights:
        room, _, rest = weight.path.partition("/")
        if room not in model.heads and re.match(r"frontend$|backbone(_|$)", room):
            name = f"{room.partition('_')[0]}/{rest}"
            shape = values[name].shape if name in values else None
            if shape is None and id(weight) in ranges:
                continue
            if shape != tuple(weight.shape):
                raise ValueError(f"{source}: doesn't fit the front end and backbone of model '{model.name}': {name} is "
                                 f"{shape or 'not in it'}, and {tuple(weight.shape)} here; leave their sizes out of "
                                 "the config, or take the weights of a model that shares one backbone of this size")
            chosen[weight.path] = values[name]
    report = assign_values(model, chosen, str(source), strict=False)
    report.unexpected = [path for path in values if path.partition("/")[0] not in ("frontend", "backbone")]
    return report


def _with_other_labels(model, config: ZooConfig, heads: dict) -> list[str]:
    """Those of the heads whose outputs stand for other labels than in the config."""
    found = []
    for name in heads.keys() & config.heads.keys():
        own = create(head_types(), "head", config.heads[name], name=name, label=config.heads[name].label)
        if not own.auxiliary:
            before, now = own.spec(), model.heads[name].spec()
            if answer_kind(before).labels(before) != answer_kind(now).labels(now):
                found.append(name)
    return found


def _belongs_to(path: str, head: str) -> bool:
    """Whether a weight is of a head or of what a sharing has for it alone: `mood/...`, `adapter_mood_1/...`."""
    return f"_{head}_" in f"_{path.partition('/')[0]}_"
