"""Grammar files -> `Grammar`: our YAML, Home Assistant's, and Picovoice Rhino's contexts."""

import contextlib
import functools
from importlib import resources
from pathlib import Path

from speechzoo.grammar.building import Builder
from speechzoo.grammar.errors import GrammarError, Unspeakable
from speechzoo.grammar.home_assistant import home_assistant_document
from speechzoo.grammar.lists import check_keys, check_text, list_node, value_name
from speechzoo.grammar.located import Located, read_located
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Node, Sequence, Slot, Value, Words, choice
from speechzoo.grammar.numbers import number_slot, percentage_slot
from speechzoo.grammar.template import HASSIL, RHINO
from speechzoo.names import nearest
from speechzoo.text.language import language_tag
from speechzoo.text.numbers import ordinal

MAX_WORDS = 5_000_000
"""`MAX_WORDS` limits a grammar with every rule and slot written out where it is named, but not its sentences."""
MAX_BYTES = 20_000_000

_KEYS = ("language", "intents", "slots", "rules", "home_assistant")
# Home Assistant calls slots and rules so, and writes more into the file than sentences.
_HOME_ASSISTANT_KEYS = ("lists", "expansion_rules", "skip_words", "responses", "settings")
_BLOCK_KEYS = ("sentences", "slots")
_HOME_ASSISTANT_BLOCK_KEYS = ("lists", "expansion_rules", "response", "requires_context", "excludes_context",
                              "metadata", "required_keywords", "inferred_domain", "name_domains", "settings")
# Begin the keys of what only anchors are for.
_ANCHORS = ("x-", "_", ".")


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
    problems: list[GrammarError] = []
    return grammar_of(read_located(text, source, problems), name, source, problems)


def grammar_of(document, name: str, source: str, problems: list[GrammarError] | None = None) -> Grammar:
    """The grammar of a document that `read_located` has read, such as a part of a larger file.

    Args:
        document: The mapping with the keys of a grammar.
        name: The grammar's name.
        source: What messages call the file.
        problems: Mistakes that were found in it already.

    Raises:
        GrammarError: As `load_grammar`.
    """
    problems = [] if problems is None else problems
    if not isinstance(document, dict):
        raise GrammarError(f"{source}: expected keys such as 'intents'")
    intents, language = (_read_rhino if "context" in document else _read_own)(document, problems)
    if problems:
        raise GrammarError.join(problems)
    if not intents:
        raise GrammarError(f"{source}: no intents; write 'intents:' with sentences for at least one")
    words = sum(_count_words(node, {}) for node in intents.values())
    if words > MAX_WORDS:
        raise GrammarError(f"{source}: {words:.3g} words with all rules and slots written out, {MAX_WORDS:,} at most; "
                           "use smaller ranges, or fewer rules inside of rules")
    return Grammar(name, intents, language)


def _read_own(document, problems):
    document = {key: value for key, value in document.items() if not key.startswith(_ANCHORS)}
    with _noting(problems):
        check_keys(document, _KEYS + _HOME_ASSISTANT_KEYS, "a grammar")
    parts = [document]
    if "home_assistant" in document:
        key = _key(document, "home_assistant")
        parts.insert(0, home_assistant_document(check_text(document[key], key, f"'{key}'")))
    language = _language(document, problems)
    intents, rules, lists, skipped = {}, {}, {}, []
    for part in parts:
        intents |= _mapping(part, "intents", problems)
        rules |= _rules(_mapping(part, "rules", problems) | _mapping(part, "expansion_rules", problems), problems)
        lists |= _lists(_mapping(part, "lists", problems) | _mapping(part, "slots", problems))
        skipped += _skip_words(part, problems)
    builder = Builder(rules, lists, HASSIL, language, problems)
    skip = _skip_node(skipped, builder)
    nodes = {}
    for intent, definition in intents.items():
        with _noting(problems):
            node = _intent(intent, definition, builder)
            if node is not None:
                nodes[str(intent)] = node if skip is None else Sequence((skip, node, skip))
    _check_unused(builder, rules, lists)
    return nodes, language


@contextlib.contextmanager
def _noting(problems):
    """Notes a mistake, and goes on behind the block."""
    try:
        yield
    except GrammarError as error:
        problems.append(error)


def _language(document, problems):
    """The language tag of a grammar: its own, or that of Home Assistant's sentences."""
    for name in ("language", "home_assistant"):
        if name in document:
            key = _key(document, name)
            with _noting(problems):
                tag = check_text(document[key], key, "the language")
                try:
                    return language_tag(tag)
                except ValueError as error:
                    raise key.error(str(error)) from None
            return "en"
    return "en"


def _skip_words(part, problems):
    """Words that may stand before and behind every sentence, as hassil's `skip_words` may."""
    words = part.get("skip_words", [])
    key = _key(part, "skip_words") if words else None
    found = []
    for word in words if isinstance(words, list) else [words]:
        with _noting(problems):
            found.append(check_text(word, key, "a skip word"))
    return found


def _skip_node(words, builder):
    """One of some words, or nothing; None where there are none."""
    nodes = [node for word in words if (node := builder.words(word)) is not None]
    return Choice((NOTHING, *nodes)) if nodes else None


def _lists(definitions):
    """List -> what makes its node, given a builder."""
    return {name: functools.partial(list_node, name, definition) for name, definition in definitions.items()}


def _rules(definitions, problems):
    """Rule -> list of its templates."""
    rules = {}
    for name, ways in definitions.items():
        with _noting(problems):
            if ways == []:
                raise name.error(f"the rule '{name}' is empty; write what it stands for")
        ways = ways if isinstance(ways, list) else [ways]
        rules[name] = []
        for way in ways:
            with _noting(problems):
                rules[name].append(check_text(way, name, f"the rule '{name}'"))
        if not rules[name]:
            rules[name].append(name)  # the mistake is noted; sentences may name it
    return rules


def _check_unused(builder, rules, lists):
    """A mistake is one whether or not a sentence names what it is in; but a list of any words may stand there unused,
    and what a package has too much is no matter."""
    for name in rules:
        with _noting(builder.problems), contextlib.suppress(Unspeakable):
            builder.rule(name, name)
    for name, make in lists.items():
        definition = make.args[1] if isinstance(make, functools.partial) else None
        if name.line and not (isinstance(definition, dict) and "wildcard" in definition):
            with contextlib.suppress(Unspeakable):
                builder.values(name)


def _intent(intent, definition, builder):
    """The node of an intent: sentences, blocks of sentences with slots that they imply, or Home Assistant's `data`;
    None where a package has none that can be said."""
    if isinstance(definition, dict) and "data" in definition:
        with _noting(builder.problems):
            check_keys(definition, ("data",), f"the intent '{intent}'")
        definition = definition["data"]
    items = definition if isinstance(definition, list) else [definition]
    sentences, written, before = [], False, len(builder.problems)
    for item in items:
        with _noting(builder.problems):
            block = item if isinstance(item, dict) else {"sentences": [item] if item else []}
            implied, inside, texts = _block(intent, block, builder)
            written = written or bool(texts)
            for text in texts:
                node = inside.sentence(text)
                if node is not None:
                    sentences.append(Sequence((node, *implied)) if implied else node)
    if not written and len(builder.problems) == before:
        raise intent.error(f"the intent '{intent}' has no sentences; write some, or take it out")
    return choice(sentences) if sentences else None


def _block(intent, block, builder):
    """The slots that a block implies, the builder of its sentences, and their texts."""
    problems = builder.problems
    with _noting(problems):
        check_keys(block, _BLOCK_KEYS + _HOME_ASSISTANT_BLOCK_KEYS, f"the intent '{intent}'")
    sentences = block.get("sentences") or []
    texts = []
    for sentence in sentences if isinstance(sentences, list) else [sentences]:
        with _noting(problems):
            texts.append(check_text(sentence, intent, f"a sentence of '{intent}'"))
    implied = []
    for slot, value in _mapping(block, "slots", problems).items():
        with _noting(problems):
            for text in value if isinstance(value, list) and value else [value]:
                check_text(text, slot, f"the slot '{slot}'")
            implied.append(Slot(str(slot), Value(value_name(value), NOTHING)))
    rules = _rules(_mapping(block, "expansion_rules", problems), problems)
    lists = _lists(_mapping(block, "lists", problems))
    inside = builder.inside(rules, lists)
    _check_unused(inside, rules, lists)
    return implied, inside, texts


def _read_rhino(document, problems):
    with _noting(problems):
        check_keys(document, ("context",), "a Rhino context file")
    context = document["context"]
    if not isinstance(context, dict):
        raise _key(document, "context").error("expected the keys 'expressions' and 'slots'")
    with _noting(problems):
        check_keys(context, ("expressions", "slots", "macros"), "a Rhino context")
    lists = _lists(_mapping(context, "slots", problems))
    built_in = {name: lambda builder, make=make: make() for name, make in RHINO_SLOTS.items()}
    macros = _rules(_mapping(context, "macros", problems), problems)
    builder = Builder(macros, lists | built_in, RHINO, problems=problems)
    nodes = {}
    for intent, expressions in _mapping(context, "expressions", problems).items():
        with _noting(problems):
            if not isinstance(expressions, list):
                raise intent.error(f"the intent '{intent}' has no sentences; write a list of expressions")
            nodes[str(intent)] = _intent(intent, expressions, builder)
    _check_unused(builder, macros, lists)
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


def _mapping(document, name, problems):
    """The mapping under a key, empty when it isn't there."""
    value = document.get(name, {})
    if isinstance(value, dict):
        return value
    if not isinstance(value, Located) or value:
        problems.append(_key(document, name).error(f"'{name}' must be names with what belongs to each"))
    return {}


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
