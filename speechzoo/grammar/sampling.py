"""Sentences of a grammar: some at random but evenly, all of them, or how many there are."""

import random
from collections.abc import Iterator

from speechzoo.grammar.nodes import Choice, Grammar, Node, Sentence, Sequence, Slot, Value, Words


def sample_sentences(grammar: Grammar, count: int, seed: int = 1) -> Iterator[Sentence]:
    """Random sentences, even over the intents, and within an intent over its sentences, optional parts and values.

    Each choice deals its options like a shuffled pack of cards, and is shuffled again when all were dealt; so of a list
    of songs each comes as often as every other, give or take one, however few sentences are drawn. Values with many
    synonyms come as often as values with one.

    Args:
        grammar: The grammar.
        count: Sentences; the same one may come twice.
        seed: The same seed gives the same sentences.
    """
    return _Sampler(seed).sentences(grammar, count)


def count_sentences(grammar: Grammar) -> int:
    """How many ways lead through the grammar, without going them; a sentence built in two ways counts twice."""
    known = {}
    return sum(_count(node, known) for node in grammar.intents.values())


def enumerate_sentences(grammar: Grammar, limit: int | None = None) -> Iterator[Sentence]:
    """Every sentence in the order of the grammar, as often as `count_sentences` counts it, at most `limit` of them."""
    number = 0
    for intent, node in grammar.intents.items():
        for words, slots in _expand(node, None):
            if number == limit:
                return
            number += 1
            yield Sentence(" ".join(words), intent, dict(slots))


class _Sampler:

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.packs: dict[object, list] = {}
        self.groups: dict[int, list] = {}

    def sentences(self, grammar, count):
        intents = list(grammar.intents.items())
        for _ in range(count):
            intent, node = self.deal("intents", intents)
            words, slots = [], {}
            self.speak(node, words, slots, None)
            yield Sentence(" ".join(words), intent, slots)

    def deal(self, key, options):
        pack = self.packs.get(key)
        if not pack:
            pack = self.packs[key] = list(range(len(options)))
            self.random.shuffle(pack)
        return options[pack.pop()]

    def speak(self, node: Node, words, slots, slot):
        if isinstance(node, Words):
            words.append(node.text)
        elif isinstance(node, Sequence):
            for part in node.parts:
                self.speak(part, words, slots, slot)
        elif isinstance(node, Choice):
            group = self.deal(id(node), self.by_value(node))
            self.speak(self.deal((id(node), id(group)), group) if len(group) > 1 else group[0], words, slots, slot)
        else:
            if isinstance(node, Value) and slot is not None:
                slots[slot] = node.value
            self.speak(node.spoken, words, slots, node.name if isinstance(node, Slot) else slot)

    def by_value(self, node):
        """The options, those of one value together."""
        if id(node) not in self.groups:
            groups = {}
            for option in node.options:
                groups.setdefault(option.value if isinstance(option, Value) else id(option), []).append(option)
            self.groups[id(node)] = list(groups.values())
        return self.groups[id(node)]


def _count(node, known):
    if isinstance(node, Words):
        return 1
    if id(node) not in known:
        if isinstance(node, Sequence):
            number = 1
            for part in node.parts:
                number *= _count(part, known)
        elif isinstance(node, Choice):
            number = sum(_count(option, known) for option in node.options)
        else:
            number = _count(node.spoken, known)
        known[id(node)] = number
    return known[id(node)]


def _expand(node, slot):
    """(words, (slot, value) pairs) of every way through a node."""
    if isinstance(node, Words):
        yield (node.text,), ()
    elif isinstance(node, Choice):
        for option in node.options:
            yield from _expand(option, slot)
    elif isinstance(node, Slot):
        yield from _expand(node.spoken, node.name)
    elif isinstance(node, Value):
        for words, slots in _expand(node.spoken, slot):
            yield words, ((slot, node.value), *slots) if slot is not None else slots
    elif not node.parts:
        yield (), ()
    else:
        rest = Sequence(node.parts[1:])
        for words, slots in _expand(node.parts[0], slot):
            for more_words, more_slots in _expand(rest, slot):
                yield words + more_words, slots + more_slots
