"""Templates -> nodes: rules and slots are looked up and shared, letters that touch become words."""

import itertools
import re

from speechzoo.grammar.located import Located
from speechzoo.grammar.nodes import NOTHING, Choice, Node, Sequence, Slot, Value, Words, choice
from speechzoo.grammar.numbers import BUILT_IN, number_slot
from speechzoo.grammar.template import Group, RuleReference, SlotReference, Syntax, Text, parse_template
from speechzoo.names import nearest
from speechzoo.text.normalize import normalize_words

# A range of more numbers than this is a mistake, or a number that should be spoken digit by digit.
MAX_RANGE = 10_000
# A permutation of n parts is a graph of 2**n nodes.
MAX_PERMUTED = 8
# Words that one run of touching brackets, such as `light[s]`, may form.
MAX_JOINED = 1000
# Rules that name rules that name rules: deeper than this, the walks over a grammar would have to worry about recursion.
MAX_RULE_DEPTH = 10
_RANGE = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:,([0-9]{1,9}))?")
_LETTER = re.compile(r"['’]?\w")
_BLANK = object()


class Builder:
    """Builds the nodes of one grammar's templates.

    Args:
        rules: Rule -> template, or a list of them.
        lists: List -> function that makes the node of its values, given this builder; called once, when a template
            names it.
        syntax: Of all the templates.
        language: ISO 639-1; the built-in slots speak English.
    """

    def __init__(self, rules: dict, lists: dict, syntax: Syntax, language: str = "en"):
        self.rules, self.lists, self.syntax, self.language = rules, lists, syntax, language
        self._shared: dict[tuple, Node] = {}
        self._silent: dict[int, tuple[Node, bool]] = {}
        self._open: list[str] = []
        self._in_slot = False

    def template(self, text: Located) -> Node:
        """The node of one template; may raise a GrammarError that names line and column."""
        return self._row(parse_template(text, self.syntax), text)

    def sentence(self, text: Located) -> Node:
        """As `template`, for a whole sentence, which must say something."""
        node = self.template(text)
        if can_be_silent(node, self._silent):
            raise text.error("a sentence without a word; write one, or make a part of it obligatory")
        return node

    def value(self, text: Located) -> Node:
        """As `template`, for the ways to say a value: it must say something, and fills no slot itself."""
        outside, self._in_slot = self._in_slot, True
        node = self.template(text)
        self._in_slot = outside
        if can_be_silent(node, self._silent):
            raise text.error("a value that can be said by saying nothing; make a part of it obligatory")
        return node

    def rule(self, name: str, text: Located, offset: int = 0) -> Node:
        """The node of a rule that `text` names at `offset`."""
        if name not in self.rules:
            raise text.error(f"no rule <{name}>; {nearest(name, self.rules)}", offset)
        if name in self._open:
            circle = " -> ".join(f"<{rule}>" for rule in [*self._open[self._open.index(name):], name])
            raise text.error(f"a rule that never ends: {circle}; take one of them out of the circle", offset)
        if len(self._open) == MAX_RULE_DEPTH:
            raise text.error(f"more than {MAX_RULE_DEPTH} rules that name each other in a row; write some of them out",
                             offset)
        # A rule that fills a slot can't stand in a value, so the two uses are checked apart.
        key = ("rule", name, self._in_slot)
        if key not in self._shared:
            self._open.append(name)
            ways = self.rules[name]
            self._shared[key] = choice(self.template(way) for way in (ways if isinstance(ways, list) else [ways]))
            self._open.pop()
        return self._shared[key]

    def slot(self, reference: SlotReference, text: Located) -> Node:
        """The node of a slot that `text` names."""
        if self._in_slot:
            raise text.error(f"the slot '{reference.slot}' inside of another slot's value; write its words instead",
                             reference.offset)
        key = ("slot", reference.source, reference.slot)
        if key not in self._shared:
            self._shared[key] = Slot(reference.slot, self._list(reference, text))
        return self._shared[key]

    def _list(self, reference, text):
        name = reference.source
        key = ("list", name)
        if key in self._shared:
            return self._shared[key]
        if name in self.lists:
            self._shared[key] = self.lists[name](self)
        elif self.language == "en" and name in BUILT_IN:
            self._shared[key] = BUILT_IN[name]()
        elif match := _RANGE.fullmatch(name):
            start, stop, step = (int(group or 1) for group in match.groups())
            self._shared[key] = checked_range(start, stop, step, text, reference.offset, self.language)
        else:
            known = [*self.lists, *(BUILT_IN if self.language == "en" else ())]
            raise text.error(f"no slot '{name}'; {nearest(name, known)}", reference.offset)
        return self._shared[key]

    def _row(self, items, text):
        """Items one after another. A blank between them ends a word; items that touch form words together."""
        parts, words = [], []
        for cluster in [*_clusters(items), [None]]:
            if cluster is _BLANK:
                continue
            if len(cluster) == 1 and isinstance(cluster[0], Text):
                words.append(self._spoken(cluster[0].text, text, cluster[0].offset))
                continue
            if any(words):
                parts.append(Words(" ".join(filter(None, words))))
            words = []
            if cluster[0] is not None:
                parts.append(self._touching(cluster, text))
        return _sequence(parts)

    def _touching(self, cluster, text):
        if len(cluster) > 1:
            forms = self._forms(cluster, text)
            return choice(_unique(self._join(form, text, cluster[0].offset) for form in forms))
        item = cluster[0]
        if isinstance(item, Group):
            inside = choice(_unique(self._row(option, text) for option in item.options))
            return self._optional(inside) if item.optional else inside
        return self._whole(item, text)

    def _whole(self, item, text):
        if isinstance(item, SlotReference):
            return self.slot(item, text)
        if isinstance(item, RuleReference):
            return self.rule(item.rule, text, item.offset)
        if len(item.rows) > MAX_PERMUTED:
            raise text.error(f"more than {MAX_PERMUTED} parts in any order; write the usual orders as sentences",
                             item.offset)
        nodes = [self._row(row, text) for row in item.rows]
        return _permuted(nodes, frozenset(range(len(nodes))), {})

    def _forms(self, cluster, text):
        """Every way to write touching items, as rows of strings, nodes and blanks."""
        forms = [()]
        for item in cluster:
            forms = [(*form, *more) for form, more in itertools.product(forms, self._item_forms(item, text))]
            if len(forms) > MAX_JOINED:
                raise text.error(f"more than {MAX_JOINED} words out of brackets that touch; put blanks between them",
                                 item.offset)
        return forms

    def _item_forms(self, item, text):
        if isinstance(item, Text):
            return [(item.text,)]
        if not isinstance(item, Group):
            return [(self._whole(item, text),)]
        forms = [()] if item.optional else []
        for option in item.options:
            forms += self._row_forms(option, text)
        return forms

    def _row_forms(self, row, text):
        """As `_forms`, for a row that has blanks: only what touches an end of it has to be written out."""
        clusters = _clusters(row)
        forms = [()]
        for place, cluster in enumerate(clusters):
            if cluster is _BLANK:
                more = [(_BLANK,)]
            else:
                at_end = place in (0, len(clusters) - 1)
                more = self._forms(cluster, text) if at_end else [(self._row(cluster, text),)]
            forms = [(*form, *after) for form, after in itertools.product(forms, more)]
        return forms

    def _join(self, form, text, offset):
        """One way to write touching items as a node."""
        parts, letters = [], ""
        for part in (*form, _BLANK):
            if isinstance(part, str):
                letters += part
                continue
            if letters:
                before, after = (parts[-1] if parts else _BLANK), part
                if _LETTER.match(letters) and not _ends_word(before) or letters[-1].isalnum() and not _ends_word(after):
                    raise text.error(f"'{letters}' touches a slot or a rule as part of a word; put a blank between",
                                     offset)
                spoken = self._spoken(letters, text, offset)
                parts += [Words(spoken)] * bool(spoken)
                letters = ""
            parts.append(part)
        return _sequence([part for part in parts if part is not _BLANK])

    def _optional(self, node):
        return node if can_be_silent(node, self._silent) else Choice((NOTHING, node))

    def _spoken(self, written, text, offset):
        try:
            return normalize_words(written, self.language)
        except ValueError as error:
            raise text.error(str(error), offset) from None


def checked_range(start, stop, step, text, offset=0, language="en", **options) -> Node:
    """`number_slot` of a range that a grammar's author wrote at `offset` of `text`."""
    if language != "en":
        raise text.error(f"numbers are spelled out in English only, and the language is '{language}'; list them",
                         offset)
    if stop < start or step < 1:
        raise text.error(f"the range {start}..{stop} in steps of {step} holds nothing; write the smaller number first",
                         offset)
    numbers = range(start, stop + 1, step)
    if len(numbers) > MAX_RANGE:
        raise text.error(f"a range of {len(numbers)} numbers, {MAX_RANGE} at most; use a larger step or several slots",
                         offset)
    return number_slot(numbers, **options)


def can_be_silent(node: Node, known: dict | None = None) -> bool:
    """Whether a node accepts no words at all.

    Args:
        node: The node.
        known: What was found before, id(node) -> (node, answer); gains what is found now.
    """
    known = {} if known is None else known
    if id(node) not in known:
        if isinstance(node, Words):
            answer = False
        elif isinstance(node, Sequence):
            answer = all(can_be_silent(part, known) for part in node.parts)
        elif isinstance(node, Choice):
            answer = any(can_be_silent(option, known) for option in node.options)
        else:
            answer = can_be_silent(node.spoken, known)
        known[id(node)] = node, answer  # the node too: an id is good as long as what it names lives
    return known[id(node)][1]


def _clusters(row):
    """Splits a row at its blanks: lists of items that touch, and `_BLANK` between, before and after them."""
    clusters = []
    for item in row:
        pieces = [item]
        if isinstance(item, Text):
            pieces = [Text(match[0], item.offset + match.start()) for match in re.finditer(r"\s+|\S+", item.text)]
        for piece in pieces:
            if isinstance(piece, Text) and piece.text.isspace():
                clusters.append(_BLANK)
            elif clusters and clusters[-1] is not _BLANK:
                clusters[-1].append(piece)
            else:
                clusters.append([piece])
    return clusters


def _sequence(parts):
    parts = tuple(part for part in parts if part != NOTHING)
    return parts[0] if len(parts) == 1 else Sequence(parts) if parts else NOTHING


def _unique(nodes):
    """Nodes without those that say the same words, and name the same rules and slots, as one before."""
    seen = set()
    for node in nodes:
        parts = node.parts if isinstance(node, Sequence) else (node,)
        key = tuple(part if isinstance(part, Words) else id(part) for part in parts)
        if key not in seen:
            seen.add(key)
            yield node


def _ends_word(part):
    """Whether letters beside a part are a word of their own: behind a number they are, as in 2700k."""
    if part is _BLANK or isinstance(part, Words):
        return True
    while isinstance(part, (Slot, Choice)):
        part = part.spoken if isinstance(part, Slot) else part.options[0]
    return isinstance(part, Value) and re.fullmatch(r"-?[0-9.]+", part.value) is not None


def _permuted(nodes, left, shared):
    """The nodes at the places `left` in any order; what follows some of them is the same whatever their order was."""
    if left not in shared:
        orders = [_sequence([nodes[place], _permuted(nodes, left - {place}, shared)]) for place in sorted(left)]
        shared[left] = choice(orders) if orders else NOTHING
    return shared[left]
