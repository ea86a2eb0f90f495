"""Values that a type allows and no training can use."""

import dataclasses
import math

from speechzoo.config.errors import ConfigError
from speechzoo.config.schema import RangeConfig, TrainingConfig

# What the values of a key must be -> the test of it, and the keys.
_LIMITS = {
    "above 0": (lambda value: 0 < value < math.inf, (
        "sample_rate", "repeat", "seconds_per_batch", "source_temperature", "last_source_temperature",
        "gradient_clip_norm", "cache_gigabytes")),
    "0 or more": (lambda value: 0 <= value < math.inf, (
        "loss_weight", "minimum_seconds", "crop_seconds", "epochs", "learning_rate", "warmup_steps", "weight_decay",
        "average_checkpoints", "early_stop_patience", "seed")),
    "1 or more": (lambda value: value >= 1, ("evaluate_every", "checkpoint_every", "first_epoch", "blocks", "rank",
                                               "utterances")),
    "between 0 and 1": (lambda value: 0 <= value <= 1, ("probability", "balance_power")),
    "0 or more and less than 1": (lambda value: 0 <= value < 1, ("ema_momentum",)),
    "lengths above 0 that rise": (lambda value: value and 0 < value[0] and value == sorted(set(value)), (
        "bucket_seconds",)),
    "float32 or bfloat16": (lambda value: value in ("float32", "bfloat16"), ("precision",)),
    "cosine or linear": (lambda value: value in ("cosine", "linear"), ("decay",)),
}


def check_limits(config, where):
    """Raises ConfigError for the first number of a dataclass, or of one in it, that can't be used."""
    for item in dataclasses.fields(config):
        value, key = getattr(config, item.name), f"{where}.{item.name}"
        for text, (allows, names) in _LIMITS.items():
            if item.name in names and value is not None and not allows(value):
                raise ConfigError(f"{key}: must be {text}, got {value!r}")
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, part in [*inner, (None, value)]:
            if dataclasses.is_dataclass(part):
                check_limits(part, key if name is None else f"{key}.{name}")
    for pattern, factor in config.rates.items() if isinstance(config, TrainingConfig) else ():
        if not 0 < factor < math.inf:
            remedy = "; put it into training.freeze" if factor == 0 else ""
            raise ConfigError(f"{where}.rates: the factor of '{pattern}' must be above 0, got {factor:g}{remedy}")
    if isinstance(config, RangeConfig) and not -math.inf < config.minimum <= config.maximum < math.inf:
        raise ConfigError(f"{where}: minimum {config.minimum:g} and maximum {config.maximum:g} are no range")
