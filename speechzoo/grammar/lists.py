"""What may fill a slot, as a grammar file writes it -> the node of its values."""

import math

from speechzoo.grammar.building import Builder, checked_range
from speechzoo.grammar.errors import GrammarError, Unspeakable
from speechzoo.grammar.located import Located
from speechzoo.grammar.nodes import Choice, Node, Sequence, Value, Words, choice
from speechzoo.names import nearest
from speechzoo.text.language import language_tag

_KEYS = ("values", "range", "wildcard")
_VALUE_KEYS = ("in", "out", "context", "metadata")
_RANGE_KEYS = ("type", "from", "to", "step", "fractions", "multiplier", "digits", "words", "words_language")
_NULL = ("", "~", "null")
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
    templates = isinstance(definition, dict)
    if templates:
        check_keys(definition, _KEYS, f"the slot '{name}'")
        if len(definition) != 1:
            raise name.error(f"the slot '{name}' needs one of the keys values and range")
        key, inside = next(iter(definition.items()))
        if key == "range":
            return _range_node(name, key, inside, builder)
        if key == "wildcard":
            raise key.error(f"the slot '{name}' takes any words, which no grammar can; give it example values under "
                            "'slots'")
        definition = inside
    if not isinstance(definition, list) or not definition:
        raise name.error(f"the slot '{name}' has no values; write a list of them")
    values = []
    for item in definition:
        try:
            values += _value_nodes(name, item, builder, templates)
        except Unspeakable:
            continue  # a package writes figures and signs beside the words for them
        except GrammarError as error:
            values.append(Value("", builder.note(error)))
    if not values:
        raise name.error(f"nobody can say a value of '{name}'", kind=Unspeakable)
    return choice(values)


def check_keys(mapping: dict, known, where: str):
    """Raises a GrammarError for the keys that aren't known; `where` names what holds the keys."""
    errors = [key.error(f"{where} has no key '{key}'; {nearest(key, known)}") for key in mapping if key not in known]
    if errors:
        raise GrammarError.join(errors)


def check_text(value, name: Located, what: str) -> Located:
    """Raises a GrammarError unless `value` is a text that says something."""
    if not isinstance(value, Located) or not value.strip():
        place = value if isinstance(value, Located) and value.line else name
        raise place.error(f"{what} must be a text")
    return value


def _value_nodes(name, item, builder, templates):
    """The values of one item of a list; `templates`: texts may be such, as hassil has it under `values`."""
    if isinstance(item, Located):
        check_text(item, name, f"a value of '{name}'")
        if not any(character in item for character in builder.syntax.brackets):
            return [Value(" ".join(item.split()), builder.value(item))]
        if not templates:
            raise item.error("a value with more than one way to say it needs a name; write "
                             "'name: [one way, another way]'")
        item = {Located("in", item.source, item.line, item.column): item}
    if not isinstance(item, dict) or not item:
        raise name.error(f"a value of '{name}' must be a text, or a name with the ways to say it")
    if "in" in item:
        check_keys(item, _VALUE_KEYS, f"a value of '{name}'")
        spoken = builder.value(check_text(item["in"], next(iter(item)), "'in'"))
        return [Value(value_name(item["out"]) if "out" in item else first_words(spoken), spoken)]
    values = []
    for value, ways in item.items():
        ways = ways if isinstance(ways, list) else [ways]
        nodes = [builder.value(check_text(way, value, f"each way to say '{value}'")) for way in ways]
        if not nodes:
            raise value.error(f"the value '{value}' can't be said; list the ways to say it")
        values.append(Value(str(value).strip(), choice(nodes)))
    return values


def value_name(value) -> str:
    """A value as a slot holds it: texts as they are; of several, as Home Assistant writes device classes, one text."""
    return ", ".join(map(value_name, value)) if isinstance(value, list) else str(value).strip()


def first_words(node: Node) -> str:
    """The first way to say a node."""
    while not isinstance(node, Words):
        if isinstance(node, Sequence):
            return " ".join(filter(None, map(first_words, node.parts)))
        node = node.options[0] if isinstance(node, Choice) else node.spoken
    return node.text


def _range_node(slot, key, settings, builder):
    if not isinstance(settings, dict):
        raise key.error("a range needs the keys 'from' and 'to'")
    check_keys(settings, _RANGE_KEYS, "a range")
    settings = {name: value for name, value in settings.items() if value not in _NULL}
    if settings.get("type", "number") not in _RANGE_TYPES:
        kind = settings["type"]
        raise check_text(kind, key, "the type").error(f"no range of type '{kind}'; {nearest(kind, _RANGE_TYPES)}")
    fractions = settings.get("fractions", "")
    if fractions not in ("", "halves", "tenths"):
        raise check_text(fractions, key, "fractions").error(f"no fractions '{fractions}'; known: halves, tenths")

    def number(name, default=None, whole=True):
        if name not in settings and default is None:
            raise key.error(f"a range needs the key '{name}'")
        try:
            value = float(settings.get(name, default))
            if not math.isfinite(value) or whole and value != int(value):
                raise ValueError
        except (ValueError, TypeError):
            place = next(at for at in settings if at == name)
            raise place.error(f"'{name}' must be a {'whole ' * whole}number") from None
        return int(value) if value == int(value) else value

    return checked_range(number("from"), number("to"), number("step", 1), key, where=f"the slot '{slot}': ",
                         language=_words_language(settings, builder), halves=fractions == "halves",
                         tenths=fractions == "tenths", multiplier=number("multiplier", 1, whole=False))


def _words_language(settings, builder):
    if "words_language" not in settings:
        return builder.language
    key = next(key for key in settings if key == "words_language")
    tag = check_text(settings[key], key, "'words_language'")
    try:
        return language_tag(tag)
    except ValueError as error:
        raise tag.error(str(error)) from None
