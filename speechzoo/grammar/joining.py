"""Brackets, slots and rules that touch -> words: `light[s]`, `{room}s`, `l'{room}`, `[auto]<matic>`.

What touches is read from left to right. Open at any place are the words that may be under way there; for each of them
there is what was said before. So the work grows with the words that may be under way, and not with the sentences.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from speechzoo.grammar.affixes import Affixer, sequence
from speechzoo.grammar.errors import GrammarError, Unspeakable
from speechzoo.grammar.nodes import NOTHING, Choice, Node, Sequence, Slot, Value, Words, choice
from speechzoo.grammar.template import Group, Permutation, RuleReference, Text
from speechzoo.text.characters import APOSTROPHES, UNSPACED

# Words that may be under way at one place of a template.
MAX_JOINED = 4000
BLANK, ELISION = object(), object()
_APOSTROPHES = ("'", *APOSTROPHES)
_LETTER = re.compile(rf"['{APOSTROPHES}]?[^\W_]")
_LAST_LETTER = re.compile(rf"[^\W_]['{APOSTROPHES}]?$")
_NUMBER = re.compile(r"-?[0-9.]+")
# A blank, a letter that is a word, or letters without either.
_PIECE = re.compile(rf"\s+|{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\S)+")


@dataclass(frozen=True)
class _Open:
    """A word under way: letters, which go on with the last word of `node` where there is one."""

    node: Node | None = None
    letters: str = ""

    @property
    def key(self):
        return id(self.node), self.letters


_START = _Open()
_States = dict[tuple, tuple[_Open, tuple[Node, ...]]]
"""What is open -> it, and the nodes before it."""


class Joiner:
    """Makes words of what touches, for one builder.

    Args:
        builder: The `Builder` of what doesn't touch.
        silent: What it knows of which nodes can be silent.
    """

    def __init__(self, builder, silent: dict):
        self._builder = builder
        self._affixed = Affixer(silent)
        self._rules: dict[tuple, _States] = {}
        self._eliding: dict[str, bool] = {}
        self._clusters: dict[int, tuple[list, tuple]] = {}

    def node(self, cluster: list, text) -> Node:
        """The node of items that touch.

        Raises:
            GrammarError: More than `MAX_JOINED` words come of it; `Unspeakable`: none that can be said.
        """
        states = self._close(self._items(cluster, {_START.key: (_START, ())}, text), text)
        (_, parts), = states.values()
        return sequence(parts)

    def clusters(self, row: tuple) -> list:
        """Splits a row at its blanks: lists of items that touch, and `BLANK` between, before and after them.

        A letter of a script without blanks touches nothing. Behind what may end in an apostrophe, in other languages
        than English, `ELISION` stands for a blank.
        """
        if id(row) in self._clusters:
            return self._clusters[id(row)][0]
        clusters = []
        for item in row:
            pieces = [item]
            if isinstance(item, Text):
                pieces = [Text(match[0], item.offset + match.start()) for match in _PIECE.finditer(item.text)]
            for piece in pieces:
                touches = clusters and clusters[-1] is not BLANK
                if isinstance(piece, Text) and piece.text.isspace():
                    if touches and not self._builder.english and self._may_elide(clusters[-1][-1]):
                        clusters[-1].append(ELISION)
                    else:
                        clusters.append(BLANK)
                elif isinstance(piece, Text) and UNSPACED.match(piece.text):
                    clusters += [BLANK, [piece], BLANK]
                elif touches:
                    clusters[-1].append(piece)
                else:
                    clusters.append([piece])
        self._clusters[id(row)] = clusters, row  # that too: an id is good as long as what it names lives
        return clusters

    def _may_elide(self, item):
        if isinstance(item, Text):
            return item.text.endswith(_APOSTROPHES)
        if isinstance(item, Group):
            return any(map(self._row_may_elide, item.options))
        if not isinstance(item, RuleReference) or item.rule not in self._builder.rules:
            return False
        if item.rule not in self._eliding:
            self._eliding[item.rule] = False  # while it is asked: a rule may name itself, which is a mistake
            ways = self._builder.rows_of(item.rule)
            self._eliding[item.rule] = any(self._row_may_elide(row) for row, _ in ways)
        return self._eliding[item.rule]

    def _row_may_elide(self, row):
        for item in reversed(row):
            if self._may_elide(item):
                return True
            if not (isinstance(item, Group) and item.optional or isinstance(item, Text) and item.text.isspace()):
                return False
        return False

    def _items(self, items, states, text) -> _States:
        for item in items:
            if item is ELISION:
                states = self._each(states, lambda opened: self._blank(opened, text), text)
            elif isinstance(item, Text):
                states = _follow(states, lambda opened: [(_Open(opened.node, opened.letters + item.text), ())])
            elif isinstance(item, RuleReference):
                states = self._each(states, lambda opened: self._rule(item, opened, text), text)
            elif isinstance(item, Group) and not _is_permutation(item):
                states = self._each(states, lambda opened: self._group(item, opened, text), text)
            elif isinstance(item, (Group, Permutation)):
                node = self._builder.row((item,), text)  # parts in any order have blanks around them
                states = _follow(self._close(states, text), lambda opened: [(opened, (node,))])
            else:
                node = self._builder.whole(item, text)
                states = self._each(states, lambda opened: self._before(opened, node, text), text)
            if len(states) > MAX_JOINED:
                raise text.error(f"more than {MAX_JOINED} words out of brackets that touch; put blanks between them",
                                 getattr(item, "offset", 0))
        return states

    def _row(self, row, opened, text) -> _States:
        clusters = self.clusters(row)
        states = {opened.key: (opened, ())}
        for place, cluster in enumerate(clusters):
            if cluster is BLANK:
                states = self._each(states, lambda opened: self._blank(opened, text), text)
            elif place < len(clusters) - 1 and states.keys() == {_START.key}:  # nothing touches it
                node = self._builder.row(cluster, text)
                states = _follow(states, lambda opened: [(opened, (node,))])
            else:
                states = self._items(cluster, states, text)
        return states

    def _group(self, group, opened, text):
        found = [(opened, ())] if group.optional else []
        for row in group.options:
            found += (self._builder.speakable(self._row, row, opened, text) or {}).values()
        return found

    def _rule(self, item, opened, text):
        key = item.rule, opened.key, self._builder.in_slot
        if key not in self._rules:
            try:
                with self._builder.opened(item.rule, text, item.offset) as ways:
                    found = [state for row, way in ways
                             for state in (self._builder.speakable(self._row, row, opened, way) or {}).values()]
            except Unspeakable:
                raise
            except GrammarError as error:
                found = self._before(opened, self._builder.note(error), text)
            self._rules[key] = _merged(found), opened  # that too, for its id
        return self._rules[key][0].values()

    def _blank(self, opened, text):
        if not self._builder.english and opened.letters.endswith(_APOSTROPHES):
            return [(opened, ())]  # "l' {room}" is written "l'entree"
        return [(_START, self._said(opened, text))]

    def _before(self, opened, node, text):
        """What is open when a node follows."""
        said, node = self._bound(opened, node, text)
        return [(_Open(node), said)]

    def _close(self, states, text) -> _States:
        """The one state behind a blank."""
        return self._each(states, lambda opened: [(_START, self._said(opened, text))], text)

    def _said(self, opened, text):
        return self._bound(opened, None, text)[0]

    def _bound(self, opened, after, text):
        """What is said of a word under way, and the node that follows with those letters that go on into it."""
        before, letters = opened.node, opened.letters
        said = () if before is None else (before,)
        if not letters:
            return said, after
        behind = before is not None and _LETTER.match(letters) is not None and not self._ends_word(before)
        ahead = after is not None and _LAST_LETTER.search(letters) is not None and not self._ends_word(after)
        # A letter stands for the word that goes on, so that an apostrophe between the two is kept.
        spoken = self._builder.spoken("x" * behind + letters + "x" * ahead, text, 0).split()
        if behind and ahead and len(spoken) == 1:  # a word in the middle of three is the first one's
            spoken, ahead = [spoken[0][:-1]], False
        if behind:
            said = (self._affixed(before, spoken[0][1:], True, text),)
            spoken = spoken[1:]
        if ahead:
            after = self._affixed(after, spoken[-1][:-1], False, text)
            spoken = spoken[:-1]
        return (*said, *[Words(" ".join(spoken))] * bool(spoken)), after

    def _ends_word(self, node):
        """Whether letters beside a node are a word of their own: in English, behind a number they are, as in 2700k."""
        if isinstance(node, Words):
            return True
        while isinstance(node, (Slot, Choice)):
            node = node.spoken if isinstance(node, Slot) else node.options[0]
        return self._builder.english and isinstance(node, Value) and _NUMBER.fullmatch(node.value) is not None

    def _each(self, states, step, text) -> _States:
        """The states behind `step`; what nobody can say is left out."""
        states = _follow(states, lambda opened: self._builder.speakable(step, opened) or ())
        if not states:
            raise text.error("nobody can say this", 0, Unspeakable)
        return states


def unique(nodes: Iterable[Node]) -> Iterable[Node]:
    """Nodes without those that say the same words, and name the same rules and slots, as one before."""
    seen = set()
    for node in nodes:
        parts = node.parts if isinstance(node, Sequence) else (node,)
        key = tuple(part if isinstance(part, Words) else id(part) for part in parts)
        if key not in seen:
            seen.add(key)
            yield node


def _follow(states: _States, step: Callable) -> _States:
    """The states that follow: `step` says of what is open what is then, and the nodes between."""
    return _merged((later, parts + between) for opened, parts in states.values() for later, between in step(opened))


def _merged(found) -> _States:
    ways: dict[tuple, tuple[_Open, list]] = {}
    for opened, parts in found:
        ways.setdefault(opened.key, (opened, []))[1].append(parts)
    return {key: (opened, _one_of(rows)) for key, (opened, rows) in ways.items()}


def _one_of(rows):
    """Rows of nodes as one, what they begin with said once."""
    first, common = rows[0], 0
    if len(rows) == 1:
        return first
    while all(len(row) > common and row[common] is first[common] for row in rows):
        common += 1
    rest = choice(unique(sequence(row[common:]) for row in rows))
    return first[:common] if rest == NOTHING else (*first[:common], rest)


def _is_permutation(group):
    return any(isinstance(item, Permutation) for row in group.options for item in row)
