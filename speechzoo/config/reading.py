"""Zoo configs from YAML files, with overrides from the command line."""

import dataclasses
import math
import typing
from importlib import resources
from pathlib import Path

import yaml

from speechzoo.config.errors import ConfigError, nearest
from speechzoo.config.schema import RangeConfig, TrainingConfig, ZooConfig
from speechzoo.config.values import from_dict

# What PyYAML raises: its constructors also let out ValueError (the date 2001-99-99), KeyError (`!!bool x`) and others.
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is given twice: YAML itself keeps the last one without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{name}' is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def list_configs() -> list[str]:
    """Names of the models in `zoo_configs/`."""
    return sorted(path.name[:-5] for path in resources.files("zoo_configs").iterdir() if path.name.endswith(".yaml"))


def load_config(name_or_path: str | Path, overrides: typing.Iterable[str] = ()) -> ZooConfig:
    """Reads a zoo config by name (`mtl_conformer_small`) or by path (`my_model.yaml`).

    Args:
        name_or_path: Name in `zoo_configs/`, or path of a YAML file.
        overrides: `key=value` strings; dots go down (`training.epochs=3`, `heads.keyword.loss_weight=0.5`) and values
            are YAML.

    Raises:
        ConfigError: No such config, or something in it that can't be used.

    Example:
        >>> load_config("mtl_ds_cnn_micro", ["training.epochs=3"]).training.epochs
        3
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"{path}: no such config file")
        source = path
    else:
        if str(name_or_path) not in list_configs():
            raise ConfigError(f"no model '{name_or_path}' in the zoo; {nearest(str(name_or_path), list_configs())}")
        source = resources.files("zoo_configs") / f"{name_or_path}.yaml"
    try:
        values = _UniqueKeys(source.read_text(encoding="utf-8")).get_single_data()
    except _NOT_YAML as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected a mapping of keys")
    values.setdefault("name", Path(str(source)).stem)
    for override in overrides:
        _override(values, override)
    config = from_dict(ZooConfig, values, Path(str(source)).name)
    _check_limits(config, Path(str(source)).name)
    config.data.root = config.data.root or str(Path(str(source)).parent)
    return config


# Values that a type allows and no training can use, by key: what they must be, and the test of it.
_LIMITS = {
    "above 0": (lambda value: 0 < value < math.inf, (
        "sample_rate", "repeat", "seconds_per_batch", "source_temperature", "last_source_temperature",
        "gradient_clip_norm", "cache_gigabytes")),
    "0 or more": (lambda value: 0 <= value < math.inf, (
        "loss_weight", "minimum_seconds", "crop_seconds", "epochs", "learning_rate", "warmup_steps", "weight_decay",
        "average_checkpoints", "early_stop_patience", "seed")),
    "1 or more": (lambda value: value >= 1, ("evaluate_every", "checkpoint_every", "first_epoch")),
    "between 0 and 1": (lambda value: 0 <= value <= 1, ("probability", "balance_power")),
    "0 or more and less than 1": (lambda value: 0 <= value < 1, ("ema_momentum",)),
    "lengths above 0 that rise": (lambda value: value and 0 < value[0] and value == sorted(set(value)), (
        "bucket_seconds",)),
    "float32 or bfloat16": (lambda value: value in ("float32", "bfloat16"), ("precision",)),
    "cosine or linear": (lambda value: value in ("cosine", "linear"), ("decay",)),
}


def _check_limits(config, where):
    """Raises ConfigError for the first number of a dataclass, or of one in it, that can't be used."""
    for item in dataclasses.fields(config):
        value, key = getattr(config, item.name), f"{where}.{item.name}"
        for text, (allows, names) in _LIMITS.items():
            if item.name in names and value is not None and not allows(value):
                raise ConfigError(f"{key}: must be {text}, got {value!r}")
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, part in [*inner, (None, value)]:
            if dataclasses.is_dataclass(part):
                _check_limits(part, key if name is None else f"{key}.{name}")
    for pattern, factor in config.rates.items() if isinstance(config, TrainingConfig) else ():
        if not 0 < factor < math.inf:
            remedy = "; put it into training.freeze" if factor == 0 else ""
            raise ConfigError(f"{where}.rates: the factor of '{pattern}' must be above 0, got {factor:g}{remedy}")
    if isinstance(config, RangeConfig) and not -math.inf < config.minimum <= config.maximum < math.inf:
        raise ConfigError(f"{where}: minimum {config.minimum:g} and maximum {config.maximum:g} are no range")


def _override(values: dict, override: str):
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"override '{override}' is not key=value")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"override '{override}': '{parent}' is not a mapping")
    try:
        values[last] = yaml.safe_load(text)
    except _NOT_YAML:
        raise ConfigError(f"override '{override}': the value is not valid YAML") from None
