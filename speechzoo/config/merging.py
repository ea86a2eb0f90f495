"""Two mappings of keys -> one: what a config says, on top of what it extends."""

import dataclasses

from speechzoo.config.schema import BackboneConfig, HeadConfig, PartConfig

# Keys of a config that hold a part, beside the heads -> its dataclass.
_PARTS = {"frontend": PartConfig, "backbone": BackboneConfig, "sharing": PartConfig, "weighting": PartConfig}


def merge(base: dict, values: dict, values_last: bool = False) -> dict:
    """What `values` says, with whatever else `base` has.

    Mappings are merged key by key, all the way down. Everything else replaces what `base` has: a list, a number, and a
    part of another `type`, whose options would be of no use. None takes a key of `base` out.

    The keys of `values` come first, in their order, so that a config may say the order of its heads. Those of
    `training.rates` come last: of several patterns that match a weight, the last counts.

    Args:
        base: Plain values, which stay as they are; see `flatten_options`.
        values: The same.
        values_last: The keys of `values` come after those that only `base` has.

    Example:
        >>> merge({"epochs": 3, "freeze": ["frontend/*"]}, {"freeze": None, "seed": 2})
        {'seed': 2, 'epochs': 3}
    """
    merged = {}
    for key, value in values.items():
        inherited = base.get(key)
        if key in base and value is None:
            continue
        both = isinstance(value, dict) and isinstance(inherited, dict)
        merged[key] = merge(inherited, value, key == "rates") if both and _same_type(inherited, value) else value
    rest = {key: value for key, value in base.items() if key not in values}
    return rest | merged if values_last else merged | rest


def flatten_options(values: dict) -> dict:
    """A config with the options of its parts and heads beside their types, as people write them.

    A run's config has them in `options`, and `sharing: mmoe` is a type alone: to be merged, all must be written alike.

    Args:
        values: Plain values of a config, which stay as they are.
    """
    flat = {key: _flatten_part(value, _PARTS[key]) if key in _PARTS else value for key, value in values.items()}
    if isinstance(flat.get("heads"), dict):
        flat["heads"] = {name: _flatten_part(head, HeadConfig) for name, head in flat["heads"].items()}
    return flat


def _flatten_part(part, cls):
    if cls is not HeadConfig and isinstance(part, str):
        return {"type": part}
    options = part.get("options") if isinstance(part, dict) else None
    # What is no option there is an error, which whoever makes the part reports.
    if not isinstance(options, dict) or options.keys() & {field.name for field in dataclasses.fields(cls)}:
        return part
    return {key: value for key, value in part.items() if key != "options"} | options


def _same_type(base, values):
    return "type" not in values or values["type"] == base.get("type", values["type"])
