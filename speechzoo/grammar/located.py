"""YAML read with the place of every text, so that an error can name line and column, even inside of a template."""

import yaml

from speechzoo.grammar.errors import GrammarError

# Intents, their blocks, sentences; slots, values, ways to say them: five levels are in use.
MAX_DEPTH = 20


class Located(str):
    """A text that knows where it was written.

    Attributes:
        source: Name of the file.
        line: Line of its first character, from 1; 0 where nothing but the source is known.
        column: Column of its first character, from 1.
        exact: Whether the characters stand in the file one by one; escapes and folded lines move them.
    """

    def __new__(cls, text: str, source: str, line: int = 0, column: int = 0, exact: bool = False):
        located = super().__new__(cls, text)
        located.source, located.line, located.column, located.exact = source, line, column, exact
        return located

    def error(self, message: str, offset: int = 0) -> GrammarError:
        """A `GrammarError` at the character `offset`, for the caller to raise."""
        where = f":{self.line}:{self.column + (offset if self.exact else 0)}" if self.line else ""
        return GrammarError(f"{self.source}{where}: {message}")


def read_located(text: str, source: str):
    """Reads YAML into dicts, lists and `Located` texts; every scalar stays the text that was written (`on`, `07`).

    Args:
        text: The document.
        source: The file's name, for messages.

    Raises:
        GrammarError: Not valid YAML, nested too deeply, a key that stands there twice or is no text, or an alias.
    """
    try:
        return _Reader(text, source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = " ".join(str(error.problem or error.context).split())
        raise GrammarError(f"{source}{where}: not valid YAML: {what}; quote texts that hold : {{ [ or #") from None
    except yaml.YAMLError as error:
        raise GrammarError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


class _Reader:
    """Reads the parser's events, so that nothing is built of a document that is nested too deeply."""

    def __init__(self, text, source):
        self.text, self.source = text, source
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)

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
            raise self.at(event).error(f"the alias *{event.anchor}; name a rule for what is said in many places")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if depth > MAX_DEPTH:
            raise self.at(event).error(f"more than {MAX_DEPTH} levels inside each other; a grammar needs about five")
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self.value(event, depth + 1))
            return items
        values = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.at(event).error("a key must be a text")
            key = self.scalar(event)
            if key in values:
                first = next(other for other in values if other == key)
                raise key.error(f"the key '{key}' stands in line {first.line} already; keep one of them")
            values[key] = self.value(next(self.events), depth + 1)
        return values

    def scalar(self, event):
        """A text and its place; `exact` unless escapes or folded lines make it differ from what is written."""
        written = self.text[event.start_mark.index:event.end_mark.index]
        quoted = int(written[:1] in ("'", '"'))
        exact = written[quoted:len(written) - quoted].rstrip() == event.value
        place = self.at(event)
        return Located(event.value, self.source, place.line, place.column + (quoted if exact else 0), exact)

    def at(self, event):
        return Located("", self.source, event.start_mark.line + 1, event.start_mark.column + 1)
