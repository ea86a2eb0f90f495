"""Grammar files -> `Grammar`: our YAML, Home Assistant's, and Picovoice Rhino's contexts."""

import functools
import re
from importlib import resources
from pathlib import Path

from speechzoo.grammar.building import Builder
from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.home_assistant import home_assistant_document
from speechzoo.grammar.lists import check_keys, check_text, list_node
from speechzoo.grammar.located import Located, read_located
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Node, Sequence, Slot, Value, Words, choice
from speechzoo.grammar.numbers import number_slot, percentage_slot
from speechzoo.grammar.template import HASSIL, RHINO
from speechzoo.names import nearest
from speechzoo.text.numbers import ordinal

MAX_WORDS = 5_000_000
"""`MAX_WORDS` limits a grammar with every rule and slot written out where it is named, but not its sentences."""
MAX_BYTES = 20_000_000

_KEYS = ("language", "intents", "slots", "rules", "home_assistant")
# Home Assistant calls slots and rules so, and writes more into the file than sentences.
_HOME_ASSISTANT_KEYS = ("lists", "expansion_rules", "skip_words", "responses", "settings")
_BLOCK_KEYS = ("sentences", "slots")
_HOME_ASSISTANT_BLOCK_KEYS = ("response", "requires_context", "excludes_context", "metadata", "required_keywords",
                              "settings")


def list_grammars() -> list[str]:
    """Names of the grammars in `zoo_configs/grammars/`."""
    return sorted(path.name[:-5] for path in (resources.files("zoo_configs") / "grammars").iterdir()
                  if path.name.endswith(".yaml"))


def load_grammar(name_or_path: str | Path) -> Grammar:
    """Reads a grammar by name (`smart_speaker`) or by path (`coffee_maker.yaml`); the format is seen from its keys.

    Raises:
        GrammarError: No such grammar, or something in it that can't be used; names file, line and column.

    Example:
        >>> sorted(load_grammar("smart_speaker").intents)[:2]
        ['addShoppingItem', 'answerCall']
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in list_grammars():
            raise GrammarError(f"no grammar '{name_or_path}'; {nearest(str(name_or_path), list_grammars())}; "
                               "a file of your own ends in .yaml")
        path = resources.files("zoo_configs") / "grammars" / f"{name_or_path}.yaml"
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise GrammarError(f"{path}: {len(data):,} bytes, {MAX_BYTES:,} at most; is this a grammar?")
        text = data.decode("utf-8")
    except FileNotFoundError:
        raise GrammarError(f"{path}: no such grammar file") from None
    except OSError as error:
        raise GrammarError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data[:error.start].count(b"\n") + 1
        raise GrammarError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    return parse_grammar(text, Path(name_or_path).stem, str(path))


def parse_grammar(text: str, name: str = "grammar", source: str = "grammar") -> Grammar:
    """Reads a grammar from YAML text.

    Args:
        text: The YAML.
        name: The grammar's name.
        source: What messages call the text: its file.

    Raises:
        GrammarError: As `load_grammar`.
    """
    document = read_located(text, source)
    if not isinstance(document, dict):
        raise GrammarError(f"{source}: expected keys such as 'intents'")
    intents, language = _read_rhino(document) if "context" in document else _read_own(document)
    if not intents:
        raise GrammarError(f"{source}: no intents; write 'intents:' with sentences for at least one")
    words = sum(_count_words(node, {}) for node in intents.values())
    if words > MAX_WORDS:
        raise GrammarError(f"{source}: {words:.3g} words with all rules and slots written out, {MAX_WORDS:,} at most; "
                           "use smaller ranges, or fewer rules inside of rules")
    return Grammar(name, intents, language)


def _read_own(document):
    check_keys(document, _KEYS + _HOME_ASSISTANT_KEYS, "a grammar")
    parts = [document]
    if "home_assistant" in document:
        key = _key(document, "home_assistant")
        parts.insert(0, home_assistant_document(check_text(document[key], key, f"'{key}'")))
    intents, rules, lists = {}, {}, {}
    for part in parts:
        intents |= _mapping(part, "intents")
        rules |= _mapping(part, "rules") | _mapping(part, "expansion_rules")
        lists |= {name: functools.partial(list_node, name, definition)
                  for key in ("lists", "slots") for name, definition in _mapping(part, key).items()}
    language = document.get("language", document.get("home_assistant", "en"))
    if not isinstance(language, str) or not re.fullmatch("[a-z]{2}", language):
        raise _key(document, "language").error("the language must be two letters, such as en (ISO 639-1)")
    builder = Builder(_rules(rules), lists, HASSIL, str(language))
    nodes = {str(intent): _intent(intent, definition, builder) for intent, definition in intents.items()}
    _check_unused(builder)
    return nodes, str(language)


def _rules(definitions):
    """Rule -> list of its templates."""
    rules = {}
    for name, ways in definitions.items():
        ways = ways if isinstance(ways, list) else [ways]
        rules[name] = [check_text(way, name, f"the rule '{name}'") for way in ways]
        if not ways:
            raise name.error(f"the rule '{name}' is empty; write what it stands for")
    return rules


def _check_unused(builder):
    """A mistake in a rule is one whether or not a sentence names it."""
    for name in builder.rules:
        builder.rule(name, name)


def _intent(intent, definition, builder):
    """The node of an intent: sentences, blocks of sentences with slots that they imply, or Home Assistant's `data`."""
    if isinstance(definition, dict) and "data" in definition:
        check_keys(definition, ("data",), f"the intent '{intent}'")
        definition = definition["data"]
    items = definition if isinstance(definition, list) else [definition]
    sentences = []
    for item in items:
        if not isinstance(item, dict):
            sentences += [builder.sentence(check_text(item, intent, f"a sentence of '{intent}'"))] if item else []
            continue
        check_keys(item, _BLOCK_KEYS + _HOME_ASSISTANT_BLOCK_KEYS, f"the intent '{intent}'")
        inside = item.get("sentences") or []
        inside = inside if isinstance(inside, list) else [inside]
        implied = [Slot(str(slot), Value(str(check_text(value, slot, f"the slot '{slot}'")), NOTHING))
                   for slot, value in _mapping(item, "slots").items()]
        for sentence in inside:
            node = builder.sentence(check_text(sentence, intent, f"a sentence of '{intent}'"))
            sentences.append(Sequence((node, *implied)) if implied else node)
    if not sentences:
        raise intent.error(f"the intent '{intent}' has no sentences; write some, or take it out")
    return choice(sentences)


def _read_rhino(document):
    check_keys(document, ("context",), "a Rhino context file")
    context = document["context"]
    if not isinstance(context, dict):
        raise _key(document, "context").error("expected the keys 'expressions' and 'slots'")
    check_keys(context, ("expressions", "slots", "macros"), "a Rhino context")
    lists = {name: functools.partial(list_node, name, values) for name, values in _mapping(context, "slots").items()}
    lists |= {name: lambda builder, make=make: make() for name, make in RHINO_SLOTS.items()}
    macros = _rules(_mapping(context, "macros"))
    builder = Builder(macros, lists, RHINO)
    nodes = {}
    for intent, expressions in _mapping(context, "expressions").items():
        if not isinstance(expressions, list):
            raise intent.error(f"the intent '{intent}' has no sentences; write a list of expressions")
        nodes[str(intent)] = _intent(intent, expressions, builder)
    _check_unused(builder)
    return nodes, "en"


def _ordinals(last):
    return choice([Value(str(number), Words(ordinal(number))) for number in range(1, last + 1)])


# Rhino's own slots. Those for letters are missing: what people spell is nothing that a grammar helps with.
RHINO_SLOTS = {
    "pv.SingleDigitInteger": functools.cache(lambda: number_slot(range(10))),
    "pv.TwoDigitInteger": functools.cache(lambda: number_slot(range(100))),
    "pv.SingleDigitOrdinal": functools.cache(lambda: _ordinals(9)),
    "pv.TwoDigitOrdinal": functools.cache(lambda: _ordinals(99)),
    "pv.Percent": percentage_slot,
}


def _mapping(document, name):
    """The mapping under a key, empty when it isn't there."""
    value = document.get(name, {})
    if not isinstance(value, dict):
        if isinstance(value, Located) and not value:
            return {}
        raise _key(document, name).error(f"'{name}' must be names with what belongs to each")
    return value


def _key(document, name):
    """A key as it stands in the file, with its place."""
    return next(key for key in document if key == name)


def _count_words(node, known):
    if isinstance(node, Words):
        return node.text.count(" ") + 1
    if id(node) not in known:
        if isinstance(node, Sequence):
            inside = node.parts
        else:
            inside = node.options if isinstance(node, Choice) else (node.spoken,)
        known[id(node)] = sum(_count_words(child, known) for child in inside)
    return known[id(node)]
