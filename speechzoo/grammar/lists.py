"""What may fill a slot, as a grammar file writes it -> the node of its values."""

from speechzoo.grammar.building import Builder, checked_range
from speechzoo.grammar.located import Located
from speechzoo.grammar.nodes import Choice, Node, Value
from speechzoo.names import nearest

_KEYS = ("values", "range", "wildcard")
_VALUE_KEYS = ("in", "out", "context", "metadata")
_RANGE_KEYS = ("type", "from", "to", "step", "fractions", "multiplier", "digits", "words")
_RANGE_TYPES = ("number", "percentage", "temperature")


def list_node(name: Located, definition, builder: Builder) -> Node:
    """The values of a list.

    Args:
        name: Name of the list, for messages.
        definition: A list of values, `{"values": [...]}` or `{"range": {...}}`, as `read_located` gives it. A value is
            a text, `{value: way or ways to say it}` or, as hassil writes it, `{"in": template, "out": value}`.
        builder: Builds the templates.

    Raises:
        GrammarError: The definition can't be used.
    """
    if isinstance(definition, dict):
        check_keys(definition, _KEYS, f"the slot '{name}'")
        if len(definition) != 1:
            raise name.error(f"the slot '{name}' needs one of the keys values and range")
        key, inside = next(iter(definition.items()))
        if key == "range":
            return _range_node(key, inside, builder)
        if key == "wildcard":
            raise key.error(f"the slot '{name}' takes any words, which no grammar can; give it example values under "
                            "'slots'")
        definition = inside
    if not isinstance(definition, list) or not definition:
        raise name.error(f"the slot '{name}' has no values; write a list of them")
    values = [value for item in definition for value in _value_nodes(name, item, builder)]
    return values[0] if len(values) == 1 else Choice(tuple(values))


def check_keys(mapping: dict, known, where: str):
    """Raises a GrammarError for the first key that isn't known; `where` names what holds the keys."""
    for key in mapping:
        if key not in known:
            raise key.error(f"{where} has no key '{key}'; {nearest(key, known)}")


def check_text(value, name: Located, what: str) -> Located:
    """Raises a GrammarError unless `value` is a text that says something."""
    if not isinstance(value, Located) or not value.strip():
        place = value if isinstance(value, Located) and value.line else name
        raise place.error(f"{what} must be a text")
    return value


def _value_nodes(name, item, builder):
    if isinstance(item, Located):
        check_text(item, name, f"a value of '{name}'")
        if any(character in item for character in builder.syntax.brackets):
            raise item.error("a value with more than one way to say it needs a name; write "
                             "'name: [one way, another way]'")
        return [Value(" ".join(item.split()), builder.value(item))]
    if not isinstance(item, dict) or not item:
        raise name.error(f"a value of '{name}' must be a text, or a name with the ways to say it")
    if "in" in item:
        check_keys(item, _VALUE_KEYS, f"a value of '{name}'")
        key = next(iter(item))
        spoken = check_text(item["in"], key, "'in'")
        return [Value(str(item.get("out", spoken)).strip(), builder.value(spoken))]
    values = []
    for value, ways in item.items():
        ways = ways if isinstance(ways, list) else [ways]
        nodes = [builder.value(check_text(way, value, f"each way to say '{value}'")) for way in ways]
        if not nodes:
            raise value.error(f"the value '{value}' can't be said; list the ways to say it")
        values.append(Value(str(value).strip(), nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))))
    return values


def _range_node(key, settings, builder):
    if not isinstance(settings, dict):
        raise key.error("a range needs the keys 'from' and 'to'")
    check_keys(settings, _RANGE_KEYS, "a range")
    if settings.get("type", "number") not in _RANGE_TYPES:
        kind = settings["type"]
        raise check_text(kind, key, "the type").error(f"no range of type '{kind}'; {nearest(kind, _RANGE_TYPES)}")
    fractions = settings.get("fractions", "")
    if fractions not in ("", "halves", "tenths"):
        raise check_text(fractions, key, "fractions").error(f"no fractions '{fractions}'; known: halves, tenths")

    def number(name, default=None):
        if name not in settings and default is None:
            raise key.error(f"a range needs the key '{name}'")
        try:
            return int(settings.get(name, default))
        except (ValueError, TypeError):
            raise next(at for at in settings if at == name).error(f"'{name}' must be a whole number") from None

    return checked_range(number("from"), number("to"), number("step", 1), key, language=builder.language,
                         halves=fractions == "halves", tenths=fractions == "tenths", multiplier=number("multiplier", 1))
