"""Parts of sentences: answers to questions, and what every dialogue understands."""

from collections.abc import Iterable

import yaml

from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.located import Located
from speechzoo.grammar.nodes import Choice, Grammar, Node, Sequence, Slot, Value
from speechzoo.grammar.reading import parse_grammar

# Stands for the values of a slot while a template around it is read.
_PLACEHOLDER = "x"


def fragment(slot: str, ways: list[Located], values: Node, grammar: Grammar) -> Node:
    """The node of templates that fill a slot, such as `[for] {duration}`.

    Args:
        slot: The slot, which every template has to name.
        ways: The templates.
        values: The slot's node in the grammar, which takes its place.
        grammar: Says the language.

    Raises:
        GrammarError: A template that can't be used.
    """
    nodes = []
    for way in ways:
        if f"{{{slot}}}" not in way:
            raise way.error(f"an answer that doesn't fill the slot; name {{{slot}}} in it")
        document = {"language": grammar.language, "intents": {"answer": [str(way)]}, "slots": {slot: [_PLACEHOLDER]}}
        try:
            node = parse_grammar(yaml.safe_dump(document), slot, "answers").intents["answer"]
        except GrammarError as error:
            raise way.error(str(error).partition(": ")[2]) from None
        nodes.append(_filled(node, slot, values))
    return nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))


def sentences_of(texts: dict[str, Iterable[str]], grammar: Grammar, source: str) -> dict[str, Node]:
    """The nodes of templates without slots, under their names.

    Raises:
        GrammarError: A template that can't be used.
    """
    document = {"language": grammar.language, "intents": {name: [str(way) for way in ways]
                                                          for name, ways in texts.items()}}
    try:
        return parse_grammar(yaml.safe_dump(document), "sentences", "sentences").intents
    except GrammarError as error:
        raise GrammarError(f"{source}: sentences: {str(error).partition(': ')[2]}") from None


def _filled(node: Node, slot: str, values: Node) -> Node:
    if isinstance(node, Slot):
        return values if node.name == slot else node
    if isinstance(node, Sequence):
        return Sequence(tuple(_filled(part, slot, values) for part in node.parts))
    if isinstance(node, Choice):
        return Choice(tuple(_filled(option, slot, values) for option in node.options))
    return Value(node.value, _filled(node.spoken, slot, values)) if isinstance(node, Value) else node
