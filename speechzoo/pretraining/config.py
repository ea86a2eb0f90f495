"""The config of a run that learns without labels, made from the config of a model."""

import dataclasses

from speechzoo.config import ConfigError, HeadConfig, PartConfig, TrainingConfig, ZooConfig, nearest
from speechzoo.pretraining import OBJECTIVES

# What a run of the model's own heads may say, and what would stand in the way here.
_OF_THE_HEADS = ("early_stop_metric", "freeze", "unfreeze", "rates", "reinitialize", "lora", "penalties",
                 "cache_features", "quantization_aware")


def pretraining_config(config: ZooConfig, objective: str) -> ZooConfig:
    """A config with one head, which teaches the backbone of `config` without labels.

    Front end, backbone and data are those of `config`, and so are the settings of the training that don't belong to its
    heads. A head of the objective's type that `config` has keeps its options; the others, their sharing and weighting,
    and what the training does with their weights are left out. All of the backbone trains.

    Args:
        config: The config of the model that shall start from what is learnt.
        objective: Name in `OBJECTIVES`.

    Raises:
        ConfigError: No such objective.
    """
    if objective not in OBJECTIVES:
        raise ConfigError(f"unknown objective '{objective}'; {nearest(objective, OBJECTIVES)}")
    heads = {name: head for name, head in config.heads.items() if head.type == objective}
    defaults = TrainingConfig()
    training = dataclasses.replace(config.training, **{name: getattr(defaults, name) for name in _OF_THE_HEADS})
    return dataclasses.replace(
        config, heads=dict([*heads.items()][:1]) or {objective: HeadConfig(objective)}, training=training,
        sharing=PartConfig("hard"), weighting=PartConfig("static"),
        backbone=dataclasses.replace(config.backbone, freeze=False))
