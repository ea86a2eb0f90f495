"""Trained weights for a model some of whose heads are new."""

import logging
from pathlib import Path

from speechzoo.config import ZooConfig, create
from speechzoo.decoding.answers import answer_kind
from speechzoo.heads import HEADS
from speechzoo.weights import assign_values, read_arrays

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
        own = {weight.path for weight in model.heads[name].weights}
        if own <= fitting:  # as many labels, and others: the weights would give the old ones new names
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


def _with_other_labels(model, config: ZooConfig, heads: dict) -> list[str]:
    """Those of the heads whose outputs stand for other labels than in the config."""
    found = []
    for name in heads.keys() & config.heads.keys():
        own = create(HEADS, "head", config.heads[name], name=name, label=config.heads[name].label)
        if not own.auxiliary:
            before, now = own.spec(), model.heads[name].spec()
            if answer_kind(before).labels(before) != answer_kind(now).labels(now):
                found.append(name)
    return found


def _belongs_to(path: str, head: str) -> bool:
    """Whether a weight is of a head or of what a sharing has for it alone: `mood/...`, `adapter_mood_1/...`."""
    return f"_{head}_" in f"_{path.partition('/')[0]}_"
