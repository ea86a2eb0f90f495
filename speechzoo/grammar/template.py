"""Sentence templates, parsed: the syntax of Home Assistant's hassil and that of Picovoice Rhino.

| | hassil | Rhino |
|---|---|---|
| may be missing | `[please]` | `(please)` |
| one of | `(play\\|put on)` | `[play, put on]` |
| in any order | `(in the kitchen;at seven)` | - |
| a slot | `{room}`, `{room:origin}`, `{0..10:volume}` | `$room:origin` |
| a rule (macro) | `<please>` | `@please` |

Letters that touch are one word, as in `light[s]`.

Sources: https://github.com/OHF-Voice/hassil, https://picovoice.ai/docs/tips/syntax-cheat-sheet.
"""

import re
from dataclasses import dataclass

from speechzoo.grammar.located import Located

# People write three levels; what is deeper than this is no template.
MAX_DEPTH = 12


@dataclass(frozen=True)
class Text:
    """Characters, blanks among them; `offset` is where they begin in the template, escapes removed."""

    text: str
    offset: int


@dataclass(frozen=True)
class Group:
    """One of several rows of items, or nothing at all where it is `optional`."""

    options: tuple[tuple, ...]
    optional: bool
    offset: int


@dataclass(frozen=True)
class Permutation:
    """Rows of items in any order."""

    rows: tuple[tuple, ...]
    offset: int


@dataclass(frozen=True)
class SlotReference:
    """The list `source` (a name, or a range such as `0..10`) fills the slot `slot`; none if only the answer quotes it
    (hassil's captures, `{@name}` and `{list:@name}`)."""

    source: str
    slot: str | None
    offset: int


@dataclass(frozen=True)
class RuleReference:
    """A rule by name."""

    rule: str
    offset: int


@dataclass(frozen=True)
class Syntax:
    """A way to write templates.

    Attributes:
        brackets: Opening -> (closing bracket, whether what is inside may be missing).
        separator: Between alternatives.
        permutation: Between parts that are spoken in any order.
        reference: A slot (groups `list`, `slot`, `capture`) or a rule (group `rule`).
        references: Characters that begin a reference.
        top_level: Whether alternatives may stand outside of brackets; if not, the separator is punctuation there.
        help: How a slot and a rule are written.
    """

    brackets: dict[str, tuple[str, bool]]
    separator: str
    permutation: str
    reference: re.Pattern
    references: str
    top_level: bool
    help: str


HASSIL = Syntax(
    {"(": (")", False), "[": ("]", True)}, "|", ";",
    re.compile(r"\{\s*(?P<capture>@)?(?P<list>[\w.,-]+)\s*(?::\s*(?P<slot>@?[\w-]+)\s*)?\}|<\s*(?P<rule>[\w.-]+)\s*>"),
    "{<", True,
    "a slot is written {name} or {list:name}, a rule <name>")
RHINO = Syntax(
    {"[": ("]", False), "(": (")", True)}, ",", "",
    re.compile(r"\$(?P<list>\w+(?:\.\w+)*)(?::(?P<slot>\w+))?|@(?P<rule>\w+)"), "$@", False,
    "a slot is written $type:name, a macro @name")


def parse_template(text: Located, syntax: Syntax = HASSIL) -> tuple:
    """Parses a template into a row of items.

    Args:
        text: The template.
        syntax: `HASSIL` or `RHINO`.

    Returns:
        `Text`, `Group`, `Permutation`, `SlotReference` and `RuleReference` in the order they are spoken.

    Raises:
        GrammarError: A bracket without its partner, an empty group, a reference that is not one.
    """
    return _Parser(text, syntax).parse()


class _Parser:

    def __init__(self, text, syntax):
        self.text, self.syntax, self.position = text, syntax, 0
        self.closing = {close for close, _ in syntax.brackets.values()}

    def parse(self):
        rows, permuted = self._rows("", None)
        if self.position < len(self.text):
            raise self.text.error(f"'{self.text[self.position]}' closes nothing; take it out or open a bracket before",
                                  self.position)
        if len(rows) == 1:
            return rows[0]
        return (Permutation(rows, 0),) if permuted else (Group(rows, False, 0),)

    def _rows(self, close, opened, depth=0):
        """Rows up to a closing bracket or the end, and whether they come in any order."""
        text, syntax = self.text, self.syntax
        separators = (syntax.separator + syntax.permutation) if opened is not None or syntax.top_level else ""
        rows, row, used = [], [], set()
        while self.position < len(text) and text[self.position] not in self.closing:
            character, start = text[self.position], self.position
            if character in separators:
                used.add(character)
                if len(used) > 1:
                    raise text.error(f"both {syntax.separator} and {syntax.permutation} in one group; put brackets "
                                     "around the inner one", start)
                rows.append(tuple(row))
                row = []
                self.position += 1
            elif character in syntax.brackets:
                row.append(self._group(character, start, depth + 1))
            elif character in syntax.references:
                row.append(self._reference(start))
            else:
                row.append(self._characters(start, separators))
        if opened is not None and self.position == len(text):
            raise text.error(f"'{text[opened]}' is never closed; add '{close}'", opened)
        return (*rows, tuple(row)), bool(used) and used == {syntax.permutation}

    def _group(self, bracket, start, depth):
        close, optional = self.syntax.brackets[bracket]
        if depth > MAX_DEPTH:
            raise self.text.error(f"more than {MAX_DEPTH} brackets inside each other; name the inner ones as rules",
                                  start)
        self.position += 1
        rows, permuted = self._rows(close, start, depth)
        if self.text[self.position] != close:
            raise self.text.error(f"'{self.text[self.position]}' closes the '{bracket}' of column "
                                  f"{self.text.column + start}; use '{close}'", self.position)
        self.position += 1
        if not any(rows):
            raise self.text.error(f"nothing between '{bracket}' and '{close}'; write words there or take it out", start)
        if permuted:
            permutation = Permutation(rows, start)
            return Group(((permutation,),), True, start) if optional else permutation
        return Group(rows, optional, start)

    def _reference(self, start):
        match = self.syntax.reference.match(self.text, start)
        if not match:
            raise self.text.error(f"'{self.text[start]}' begins no slot and no rule; {self.syntax.help}", start)
        self.position = match.end()
        if match["rule"]:
            return RuleReference(match["rule"], start)
        source, slot = match["list"], match["slot"]
        if (slot or "").startswith("@") or match.groupdict().get("capture"):
            return SlotReference(source, None, start)
        if ".." in source and not slot:
            raise self.text.error(f"the range {source} fills no slot; write {{{source}:name}}", start)
        return SlotReference(source, slot or source.rpartition(".")[2], start)

    def _characters(self, start, separators):
        ends = {*separators, *self.syntax.brackets, *self.syntax.references, *self.closing}
        characters = []
        while self.position < len(self.text) and self.text[self.position] not in ends:
            if self.text[self.position] == "\\" and self.position + 1 < len(self.text):
                self.position += 1
            characters.append(self.text[self.position])
            self.position += 1
        return Text("".join(characters), start)
