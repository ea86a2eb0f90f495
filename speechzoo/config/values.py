"""Plain values, as YAML gives them -> typed dataclasses."""

import dataclasses
import re
import types
import typing

from speechzoo.config.errors import ConfigError
from speechzoo.config.schema import BackboneConfig, HeadConfig, PartConfig
from speechzoo.names import nearest

# YAML 1.1 reads 1e-3, without a point, as text.
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")


def from_dict(cls, values: dict, where: str = "config"):
    """Builds the dataclass `cls` from plain values, checking keys and types all the way down.

    Raises:
        ConfigError: Names the key, what is wrong with it, and the nearest valid name.
    """
    if cls in (BackboneConfig, PartConfig) and isinstance(values, str):
        values = {"type": values}  # `sharing: mmoe` is a part without options
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping, got {type(values).__name__} {values!r}")
    hints = typing.get_type_hints(cls)
    if cls in (BackboneConfig, HeadConfig, PartConfig):
        # In YAML a part's options stand beside its type; here they go into `options`.
        values = dict(values)
        options = values.pop("options", None)
        if not isinstance(options, dict | None):
            raise ConfigError(f"{where}.options: expected a mapping, got {options!r}")
        options = dict(options or {})
        options.update({key: values.pop(key) for key in list(values) if key not in hints})
        values["options"] = options
    for key in values:
        if key not in hints:
            raise ConfigError(f"{where}: unknown key '{key}'; {nearest(key, hints)}")
    arguments = {key: convert(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    required = [f.name for f in dataclasses.fields(cls)
                if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    missing = [name for name in required if name not in arguments]
    if missing:
        raise ConfigError(f"{where}: missing key '{missing[0]}'")
    return cls(**arguments)


def convert(hint, value, where: str):
    """`value` as the type `hint` asks for, dataclasses and containers all the way down; `where` names it in errors."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        kinds = [arg for arg in args if arg is not type(None)]
        fitting = [arg for arg in kinds if isinstance(value, list) == (typing.get_origin(arg) is list)]
        return convert((fitting or kinds)[0], value, where)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        return [convert(args[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a mapping, got {value!r}")
        return {str(key): convert(args[1], item, f"{where}.{key}") for key, item in value.items()}
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300
    if hint is float and (whole or isinstance(value, str) and _EXPONENT.fullmatch(value)):
        return float(value)
    # To Python True is an int, to a config it isn't.
    if not isinstance(value, hint) or isinstance(value, bool) != (hint is bool):
        raise ConfigError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
