"""Zoo configs: one YAML file a model, read into typed dataclasses.

A key that a dataclass doesn't have is an error that names the nearest one. The options of a front end, backbone or head
are the arguments of its constructor and are checked against them when the model is built (`check_options`).
"""

from speechzoo.config.errors import ConfigError
from speechzoo.config.merging import flatten_options, merge
from speechzoo.config.parts import check_options, create, register
from speechzoo.config.reading import list_configs, load_config
from speechzoo.config.schema import (ALL_NETWORKS, AugmentConfig, BackboneConfig, DataConfig, HeadConfig, LoraConfig,
                                     PartConfig, RangeConfig, SourceConfig, TrainingConfig, ZooConfig)
from speechzoo.config.values import from_dict
from speechzoo.names import nearest

__all__ = ["ALL_NETWORKS", "AugmentConfig", "BackboneConfig", "ConfigError", "DataConfig", "HeadConfig", "LoraConfig",
           "PartConfig", "RangeConfig", "SourceConfig", "TrainingConfig", "ZooConfig", "check_options", "create",
           "flatten_options", "from_dict", "list_configs", "load_config", "merge", "nearest", "register"]
