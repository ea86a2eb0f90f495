"""YAML read with the place of every text, so that an error can name line and column, even inside of a template."""

import yaml

from speechzoo.grammar.errors import GrammarError

# Intents, their blocks, sentences; slots, values, ways to say them: five levels are in use.
MAX_DEPTH = 20
MAX_ITEMS = 1_000_000
"""`MAX_ITEMS` limits texts, lists and mappings of a document with every alias written out."""


class Located(str):
    """A text that knows where it was written.

    Attributes:
        source: Name of the file.
        line: Line of its first character, from 1; 0 where the text comes from a package, and only that is known.
        column: Column of its first character, from 1.
        exact: Whether the characters stand in the file one by one; escapes and folded lines move them.
    """

    def __new__(cls, text: str, source: str, line: int = 0, column: int = 0, exact: bool = False):
        located = super().__new__(cls, text)
        located.source, located.line, located.column, located.exact = source, line, column, exact
        return located

    def error(self, message: str, offset: int = 0, kind: type[GrammarError] = GrammarError) -> GrammarError:
        """A `GrammarError` (or a `kind` of it) at the character `offset`, for the caller to raise."""
        column = self.column + (offset if self.exact else 0)
        where = f":{self.line}:{column}" if self.line else ""
        return kind(f"{self.source}{where}: {message}", (self.line, column))


def read_located(text: str, source: str, problems: list[GrammarError] | None = None):
    """Reads YAML into dicts, lists and `Located` texts; every scalar stays the text that was written (`on`, `07`).

    Anchors and aliases (`&x`, `*x`) are followed, and merge keys (`<<: *x`) merged, as in YAML 1.1.

    Args:
        text: The document.
        source: The file's name, for messages.
        problems: Gains the mistakes that don't end reading; without it the first of them is raised.

    Raises:
        GrammarError: Not valid YAML, nested too deeply, aliases that name nothing or multiply to too much, a key that
            stands there twice or is no text.
    """
    try:
        return _Reader(text, source, problems).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = " ".join(str(error.problem or error.context).split())
        raise GrammarError(f"{source}{where}: not valid YAML: {what}; quote texts that hold : {{ [ or #") from None
    except yaml.YAMLError as error:
        raise GrammarError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


class _Reader:
    """Reads the parser's events, so that nothing is built of a document that is nested too deeply."""

    def __init__(self, text, source, problems):
        self.text, self.source, self.problems = text, source, problems
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)
        self.anchors = {}  # name -> (value, how many items it holds)
        self.items = 0

    def document(self):
        for event in self.events:
            if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.AliasEvent)):
                value = self.value(event, 1)
                for after in self.events:
                    if isinstance(after, yaml.DocumentStartEvent):
                        raise self.at(after).error("a second document; a grammar is one")
                return value
        raise GrammarError(f"{self.source}: the file is empty; a grammar has at least the key 'intents'")

    def value(self, event, depth):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.at(event).error(f"the alias *{event.anchor} names nothing; write &{event.anchor} before it, "
                                           "where its content stands")
            value, items = self.anchors[event.anchor]
            self.count(items, event)
            return value
        before = self.items
        self.count(1, event)
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
        elif depth > MAX_DEPTH:
            raise self.at(event).error(f"more than {MAX_DEPTH} levels inside each other; a grammar needs about five")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                value.append(self.value(item, depth + 1))
        else:
            value = self.mapping(depth)
        if event.anchor:
            self.anchors[event.anchor] = value, self.items - before
        return value

    def mapping(self, depth):
        values, merged = {}, {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.at(event).error("a key must be a text")
            key = self.scalar(event)
            if event.anchor:
                self.anchors[event.anchor] = key, 1
            value = self.value(next(self.events), depth + 1)
            if key == "<<" and event.style is None:
                for part in value if isinstance(value, list) else [value]:
                    if not isinstance(part, dict):
                        raise key.error("'<<' merges mappings only; write '<<: *name' of an anchor on a mapping")
                    merged = part | merged  # what stands first counts
                continue
            if key in values:
                first = next(other for other in values if other == key)
                self.problem(key.error(f"the key '{key}' stands in line {first.line} already; keep one of them"))
            values.setdefault(key, value)
        return {key: value for key, value in merged.items() if key not in values} | values if merged else values

    def count(self, items, event):
        self.items += items
        if self.items > MAX_ITEMS:
            raise self.at(event).error(f"more than {MAX_ITEMS:,} texts with every alias written out; name a rule for "
                                       "what is said in many places")

    def problem(self, error):
        if self.problems is None:
            raise error
        self.problems.append(error)

    def scalar(self, event):
        """A text and its place; `exact` unless escapes or folded lines make it differ from what is written."""
        written = self.text[event.start_mark.index:event.end_mark.index]
        quoted = int(written[:1] in ("'", '"'))
        exact = written[quoted:len(written) - quoted].rstrip() == event.value
        place = self.at(event)
        return Located(event.value, self.source, place.line, place.column + (quoted if exact else 0), exact)

    def at(self, event):
        return Located("", self.source, event.start_mark.line + 1, event.start_mark.column + 1)
