"""Parts that register by name, made from their configs."""

import inspect
import typing

from speechzoo.config.errors import ConfigError
from speechzoo.config.schema import HeadConfig, PartConfig
from speechzoo.config.values import convert
from speechzoo.names import nearest


def register(table: dict, name: str):
    """A class decorator that enters the class in `table` under `name`."""

    def enter(cls):
        table[name] = cls
        return cls

    return enter


def create(table: dict, kind: str, part: PartConfig | HeadConfig, **arguments):
    """Makes the registered part that a config names.

    Args:
        table: Name -> class, such as `speechzoo.backbones.BACKBONES`.
        kind: What the table holds, for messages.
        part: The config of the part.
        **arguments: Arguments that do not come from the config.

    Raises:
        ConfigError: No such type, an option its constructor doesn't have, or one of another type.
    """
    if part.type not in table:
        raise ConfigError(f"unknown {kind} '{part.type}'; {nearest(part.type, table)}")
    where = f"{kind} '{part.type}'"
    check_options(table[part.type], part.options, where)
    options = dict(part.options)
    for key, hint in _arguments(table[part.type]).items():
        if key in options and hint in (int, float, str, bool):  # constructors check lists and the like themselves
            options[key] = convert(hint, options[key], f"{where}: {key}")
    return table[part.type](**options, **arguments)


def check_options(cls, options: dict, where: str):
    """Raises ConfigError when `options` has a key that the constructor of `cls` doesn't take."""
    known = _arguments(cls)
    for key in options:
        if key not in known:
            raise ConfigError(f"{where} has no option '{key}'; {nearest(key, known)}")


def _arguments(cls) -> dict:
    """Name -> type of the arguments of a constructor, and of those of this package that it passes `**kwargs` on to."""
    found = {}
    for parent in cls.__mro__:
        if "__init__" not in vars(parent):
            continue
        if parent is not cls and not parent.__module__.startswith("speechzoo."):
            break  # what every layer of Keras takes is no option of a config
        hints = typing.get_type_hints(parent.__init__)
        parameters = inspect.signature(parent.__init__).parameters
        for name, parameter in parameters.items():
            if name not in ("self", "name") and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD,
                                                                   parameter.KEYWORD_ONLY):
                found.setdefault(name, hints.get(name))
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return found
