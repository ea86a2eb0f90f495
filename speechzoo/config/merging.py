"""Two mappings of keys -> one: what a config says, on top of what it extends."""


def merge(base: dict, values: dict) -> dict:
    """What `values` says, with whatever else `base` has.

    Mappings are merged key by key, all the way down. Everything else replaces what `base` has: a list, a number, and a
    part of another `type`, whose options would be of no use. None takes a key of `base` out.

    The keys of `values` come first, in their order, so that a config may say the order of its heads.

    Args:
        base: Plain values, which stay as they are.
        values: Plain values, which stay as they are.

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
        merged[key] = merge(inherited, value) if both and _same_type(inherited, value) else value
    return merged | {key: value for key, value in base.items() if key not in values}


def _same_type(base, values):
    return "type" not in values or values["type"] == base.get("type")
