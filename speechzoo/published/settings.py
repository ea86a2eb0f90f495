"""The settings of a published model, as its YAML has them, held against those that this version has networks for."""

import yaml

ANY = None
"""`ANY` stands in place of a setting's known values: whatever it is, the network of a finished model is the same."""
MAXIMUM_BYTES = 16 << 20
"""A file of settings has at most `MAXIMUM_BYTES`; those with a vocabulary have some hundreds of kilobytes."""
# PyYAML's constructors also let out ValueError (the date 2001-99-99), KeyError (`!!bool x`) and others.
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


class _WithoutAliases(yaml.SafeLoader):
    """Refuses aliases, which no published model's settings have: ten lines of them stand for billions of values."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def read_yaml(data: bytes | str):
    """The value in a YAML text of strangers; None where it is none, has aliases or is too large."""
    if len(data) > MAXIMUM_BYTES:
        return None
    try:
        return _WithoutAliases(data).get_single_data()
    except _NOT_YAML:
        return None


def read_settings(data: bytes, name: str, source: str) -> dict:
    """The mapping in a YAML file.

    Args:
        data: What is in it.
        name: Its name, for messages.
        source: Names the model in messages.

    Raises:
        ValueError: No YAML, or none of settings.
    """
    settings = read_yaml(data)
    if not isinstance(settings, dict):
        raise ValueError(f"{source}: its {name} is no YAML of settings; fetch it again")
    return settings


def check_settings(settings, section: str, known: dict, stated: tuple, source: str):
    """Every setting of a section is one that this version has the network for.

    Args:
        settings: Setting -> value.
        section: Name of the section, for messages.
        known: Setting -> the values that are known, or `ANY`.
        stated: Settings that must be there, because what their absence means is not known.
        source: Names the model in messages.

    Raises:
        ValueError: No section, a setting that isn't known, or a value of it.
    """
    if not isinstance(settings, dict):
        raise ValueError(f"{source}: its config has no section '{section}'; fetch it again")
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{source}: its config has {section}.{str(name)[:80]}, a setting that this version "
                             "doesn't know; the network could be another")
        if known[name] is not ANY and value not in known[name]:
            raise ValueError(f"{source}: {section}.{name} is {str(value)[:80]}; this version has networks of "
                             f"{' or '.join(map(str, known[name]))}")
    for name in stated:
        if name not in settings:
            raise ValueError(f"{source}: its config doesn't state {section}.{name}; this version has networks of "
                             f"{known[name][0]}")


def whole_number(settings: dict, section: str, name: str, default: int | None, source: str) -> int:
    """A setting that is a whole number, 1 or more.

    Args:
        settings: Those of the section.
        section, name: For messages.
        default: What its absence means; None where it must be there.
        source: Names the model in messages.

    Raises:
        ValueError: It is none.
    """
    value = settings.get(name, default)
    if type(value) is not int or not 1 <= value <= 1 << 16:
        raise ValueError(f"{source}: {section}.{name} is {str(value)[:80]}, where a whole number was expected; it is "
                         "damaged, fetch it again")
    return value
