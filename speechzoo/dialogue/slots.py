"""Slots of a grammar's nodes: which are filled, by what, and how a value is said."""

import functools

from speechzoo.grammar.lists import first_words
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Node, Sequence, Slot, Value, choice


class SlotTable:
    """What a grammar's intents fill.

    Args:
        grammar: The grammar.

    Attributes:
        possible: Intent -> slots that a sentence of it may fill.
        certain: Intent -> slots that every sentence of it fills.
    """

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        possible, certain = {}, {}
        self.possible = {intent: _possible(node, possible) for intent, node in grammar.intents.items()}
        self.certain = {intent: _certain(node, certain) for intent, node in grammar.intents.items()}
        self._said: dict[str, dict[str, str]] = {}

    @functools.cached_property
    def nodes(self) -> dict[str, Node]:
        """Slot -> what fills it, anywhere in the grammar."""
        found: dict[str, dict[int, Node]] = {}
        seen = set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                if isinstance(node, Slot):
                    found.setdefault(node.name, {})[id(node.spoken)] = node.spoken
                for child in _children(node):
                    visit(child)

        for node in self.grammar.intents.values():
            visit(node)
        # What is implied without a word can't be said in an answer either.
        spoken = {name: [node for node in nodes.values() if not _silent(node)] for name, nodes in found.items()}
        return {name: Slot(name, choice(nodes)) for name, nodes in spoken.items() if nodes}

    def said(self, slot: str, value: str) -> str:
        """How a value is said: the first way of the grammar, such as "ten minutes" for the duration `600`."""
        if slot not in self._said:
            self._said[slot] = ways = {}
            if slot in self.nodes:
                _ways(self.nodes[slot].spoken, ways, set())
        return self._said[slot].get(value, value)


def _children(node):
    if isinstance(node, (Sequence, Choice)):
        return node.parts if isinstance(node, Sequence) else node.options
    return (node.spoken,) if isinstance(node, (Slot, Value)) else ()


def _silent(node):
    return node == NOTHING or isinstance(node, Value) and node.spoken == NOTHING


def _possible(node, known) -> frozenset[str]:
    if id(node) not in known:
        slots = frozenset([node.name]) if isinstance(node, Slot) else frozenset()
        known[id(node)] = slots.union(*(_possible(child, known) for child in _children(node)))
    return known[id(node)]


def _certain(node, known) -> frozenset[str]:
    if id(node) not in known:
        inside = [_certain(child, known) for child in _children(node)]
        slots = frozenset([node.name]) if isinstance(node, Slot) else frozenset()
        if isinstance(node, Choice):
            known[id(node)] = inside[0].intersection(*inside[1:])
        else:
            known[id(node)] = slots.union(*inside)
    return known[id(node)]


def _ways(node, ways, seen):
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, Value):
        if not _silent(node):
            ways.setdefault(node.value, first_words(node.spoken))
        return
    for child in _children(node):
        _ways(child, ways, seen)
