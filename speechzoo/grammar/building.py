"""Templates -> nodes: rules and slots are looked up and shared, letters that touch become words."""

import contextlib
import functools
import re

from speechzoo.grammar.affixes import can_be_silent, sequence
from speechzoo.grammar.errors import GrammarError, Unspeakable
from speechzoo.grammar.joining import BLANK, Joiner, unique
from speechzoo.grammar.located import Located
from speechzoo.grammar.nodes import NOTHING, Choice, Node, Sequence, Slot, Value, Words, choice
from speechzoo.grammar.numbers import BUILT_IN, number_slot
from speechzoo.grammar.template import Group, RuleReference, SlotReference, Syntax, Text, parse_template
from speechzoo.names import nearest
from speechzoo.text.language import primary_language
from speechzoo.text.normalize import normalize_words

# A range of more numbers than this is a mistake, or a number that should be spoken digit by digit.
MAX_RANGE = 10_000
# A permutation of n parts is a graph of 2**n nodes.
MAX_PERMUTED = 8
# Rules that name rules that name rules: deeper than this, the walks over a grammar would have to worry about recursion.
MAX_RULE_DEPTH = 10
_RANGE = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:,([0-9]{1,9}))?")
# Stands for what is mistaken, so that the rest is checked too; such a grammar is never given out.
_MISTAKEN = Words("mistaken")


class Builder:
    """Builds the nodes of one grammar's templates.

    Args:
        rules: Rule -> template, or a list of them.
        lists: List -> function that makes the node of its values, given this builder; called once, when a template
            names it.
        syntax: Of all the templates.
        language: Language tag; the built-in slots speak English.
        problems: Gains a GrammarError for each mistake that was found while going on.
    """

    def __init__(self, rules: dict, lists: dict, syntax: Syntax, language: str = "en",
                 problems: list[GrammarError] | None = None):
        self.rules, self.lists, self.syntax, self.language = rules, lists, syntax, language
        self.problems = [] if problems is None else problems
        self.english = primary_language(language) == "en"
        self._shared: dict[tuple, Node] = {}
        self._ways: dict[str, list[tuple[tuple, Located]]] = {}
        self._silent: dict[int, tuple[Node, bool]] = {}
        self._joiner = Joiner(self, self._silent)
        self._unspeakable: dict[tuple, Unspeakable] = {}
        self._open: list[str] = []
        self.in_slot = False

    def inside(self, rules: dict, lists: dict) -> "Builder":
        """A builder with rules and lists of its own, which hide those of the same names here, also from the rules and
        lists that name them. Without any, it is this one."""
        if not rules and not lists:
            return self
        return Builder(self.rules | rules, self.lists | lists, self.syntax, self.language, self.problems)

    def template(self, text: Located) -> Node:
        """The node of one template; may raise a GrammarError that names line and column."""
        return self.row(parse_template(text, self.syntax), text)

    def sentence(self, text: Located) -> Node | None:
        """As `template`, for a whole sentence, which must say something; None where nobody can say it.

        Mistakes are noted in `problems`, in place of being raised, so that all of a grammar's come together.
        """
        try:
            node = self.template(text)
            if can_be_silent(node, self._silent):
                raise text.error("a sentence without a word; write one, or make a part of it obligatory")
            return node
        except Unspeakable:
            return None  # of a package: those in files are noted where they stand
        except GrammarError as error:
            return self.note(error)

    def words(self, text: Located) -> Node | None:
        """The node of a text that is no template; None where nobody can say it."""
        spoken = self.speakable(self.spoken, text, text, 0)
        return Words(spoken) if spoken else None

    def value(self, text: Located) -> Node:
        """As `template`, for the ways to say a value: it must say something, and fills no slot itself."""
        outside, self.in_slot = self.in_slot, True
        try:
            node = self.template(text)
        finally:
            self.in_slot = outside
        if can_be_silent(node, self._silent):
            raise text.error("a value that can be said by saying nothing; make a part of it obligatory")
        return node

    def note(self, error: GrammarError) -> Node:
        """Notes a mistake; returns a node to go on with."""
        self.problems.append(error)
        return _MISTAKEN

    def rule(self, name: str, text: Located, offset: int = 0) -> Node:
        """The node of a rule that `text` names at `offset`."""
        # A rule that fills a slot can't stand in a value, so the two uses are checked apart.
        key = ("rule", name, self.in_slot)
        if key in self._unspeakable:
            raise self._unspeakable[key]
        if key not in self._shared:
            with self.opened(name, text, offset) as ways:
                nodes = [node for row, way in ways if (node := self.speakable(self.row, row, way)) is not None]
            if not nodes:
                self._unspeakable[key] = text.error(f"nobody can say the rule <{name}>", offset, Unspeakable)
                raise self._unspeakable[key]
            self._shared[key] = choice(nodes)
        return self._shared[key]

    @contextlib.contextmanager
    def opened(self, name, text, offset):
        """The ways of a rule, each a row with its text, while none that leads back to the rule may be opened."""
        if name not in self.rules:
            raise text.error(f"no rule <{name}>; {nearest(name, self.rules)}", offset)
        if name in self._open:
            circle = " -> ".join(f"<{rule}>" for rule in [*self._open[self._open.index(name):], name])
            raise text.error(f"a rule that never ends: {circle}; take one of them out of the circle", offset)
        if len(self._open) == MAX_RULE_DEPTH:
            raise text.error(f"more than {MAX_RULE_DEPTH} rules that name each other in a row; write some of them out",
                             offset)
        self._open.append(name)
        try:
            yield self.rows_of(name)
        finally:
            self._open.pop()

    def rows_of(self, name):
        if name not in self._ways:
            definition = self.rules[name]
            self._ways[name] = rows = []
            for way in definition if isinstance(definition, list) else [definition]:
                try:
                    rows.append((parse_template(way, self.syntax), way))
                except GrammarError as error:
                    self.note(error)
            if not rows:  # all of them mistaken
                rows.append(((Text(_MISTAKEN.text, 0),), definition if isinstance(definition, Located) else way))
        return self._ways[name]

    def slot(self, reference: SlotReference, text: Located) -> Node:
        """The node of a slot that `text` names."""
        if self.in_slot:
            raise text.error(f"the slot '{reference.slot}' inside of another slot's value; write its words instead",
                             reference.offset)
        if reference.slot is None:
            return self._list(reference, text)
        key = ("slot", reference.source, reference.slot)
        if key not in self._shared:
            self._shared[key] = Slot(reference.slot, self._list(reference, text))
        return self._shared[key]

    def _list(self, reference, text):
        name = reference.source
        if name in self.lists:
            return self.values(name)
        key = ("list", name)
        if key not in self._shared:
            if self.english and name in BUILT_IN:
                self._shared[key] = BUILT_IN[name]()
            elif match := _RANGE.fullmatch(name):
                start, stop, step = (int(group or 1) for group in match.groups())
                self._shared[key] = checked_range(start, stop, step, text, reference.offset, self.language)
            else:
                known = [*self.lists, *(BUILT_IN if self.english else ())]
                raise text.error(f"no slot '{name}'; {nearest(name, known)}", reference.offset)
        return self._shared[key]

    def values(self, name: str) -> Node:
        """The node of a list's values; mistakes in it are noted where the list stands."""
        key = ("list", name)
        if key in self._unspeakable:
            raise self._unspeakable[key]
        if key not in self._shared:
            try:
                self._shared[key] = self.lists[name](self)
            except Unspeakable as error:
                self._unspeakable[key] = error
                raise
            except GrammarError as error:
                self._shared[key] = Value(_MISTAKEN.text, self.note(error))
        return self._shared[key]

    def speakable(self, build, *arguments):
        """What `build` makes of the arguments, or None of a package's text that nobody can say."""
        try:
            return build(*arguments)
        except Unspeakable:
            return None

    def row(self, items, text):
        """Items one after another. A blank between them ends a word; items that touch form words together."""
        parts, words = [], []
        for cluster in [*self._joiner.clusters(items), [None]]:
            if cluster is BLANK:
                continue
            if len(cluster) == 1 and isinstance(cluster[0], Text):
                words.append(self.spoken(cluster[0].text, text, cluster[0].offset))
                continue
            if any(words):
                parts.append(Words(" ".join(filter(None, words))))
            words = []
            if cluster[0] is not None:
                parts.append(self._touching(cluster, text))
        return sequence(parts)

    def _touching(self, cluster, text):
        if len(cluster) > 1:
            return self._joiner.node(cluster, text)
        item = cluster[0]
        if isinstance(item, Group):
            options = [node for row in item.options if (node := self.speakable(self.row, row, text)) is not None]
            if not options and not item.optional:
                raise text.error("nobody can say this", item.offset, Unspeakable)
            inside = choice(unique(options)) if options else NOTHING
            return self._optional(inside) if item.optional else inside
        return self.whole(item, text)

    def whole(self, item, text: Located) -> Node:
        """The node of a slot, a rule or a permutation."""
        try:
            if isinstance(item, SlotReference):
                return self.slot(item, text)
            if isinstance(item, RuleReference):
                return self.rule(item.rule, text, item.offset)
        except Unspeakable:
            raise
        except GrammarError as error:
            return self.note(error)
        if len(item.rows) > MAX_PERMUTED:
            raise text.error(f"more than {MAX_PERMUTED} parts in any order; write the usual orders as sentences",
                             item.offset)
        nodes = [self.row(row, text) for row in item.rows]
        return _permuted(nodes, frozenset(range(len(nodes))), {})

    def _optional(self, node):
        return node if can_be_silent(node, self._silent) else Choice((NOTHING, node))

    def spoken(self, written, text, offset):
        words, problem = _spoken(written, self.language)
        if problem is None:
            return words
        if not text.line:
            raise text.error(problem, offset, Unspeakable)
        return self.note(text.error(problem, offset)).text


@functools.lru_cache(maxsize=50_000)
def _spoken(written, language):
    """The words of a text and None, or None and why there are none: brackets and rules repeat them a hundred times."""
    try:
        return normalize_words(written, language), None
    except ValueError as error:
        return None, str(error)


def checked_range(start, stop, step, text, offset=0, language="en", where="", **options) -> Node:
    """`number_slot` of a range that a grammar's author wrote at `offset` of `text`, for messages `where`."""
    if stop < start or step < 1:
        raise text.error(f"the range {start}..{stop} in steps of {step} holds nothing; write the smaller number first",
                         offset)
    numbers = range(start, stop + 1, step)
    if len(numbers) > MAX_RANGE:
        raise text.error(f"a range of {len(numbers)} numbers, {MAX_RANGE} at most; use a larger step or several slots",
                         offset)
    try:
        return number_slot(numbers, language=language, **options)
    except ValueError as error:
        raise text.error(f"{where}{error}", offset) from None


def _permuted(nodes, left, shared):
    """The nodes at the places `left` in any order; what follows some of them is the same whatever their order was."""
    if left not in shared:
        orders = [sequence([nodes[place], _permuted(nodes, left - {place}, shared)]) for place in sorted(left)]
        shared[left] = choice(orders) if orders else NOTHING
    return shared[left]
