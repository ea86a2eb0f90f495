"""YAML read with the place of every text, so that an error can name line and column, even inside of a template."""

import yaml

from speechzoo.grammar.errors import GrammarError


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
        GrammarError: Not valid YAML, a key that stands there twice, a key that is no text, or an alias.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = " ".join(str(error.problem or error.context).split())
        raise GrammarError(f"{source}{where}: not valid YAML: {what}; quote texts that hold : {{ [ or #") from None
    except yaml.YAMLError as error:
        raise GrammarError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise GrammarError(f"{source}: nested too deeply to be read; a grammar needs about five levels") from None
    if root is None:
        raise GrammarError(f"{source}: the file is empty; a grammar has at least the key 'intents'")
    return _convert(root, text, source, set())


def _convert(node, text, source, seen):
    place = (source, node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in seen:
        raise Located("", *place).error("an anchor (&) that is used again (*); name a rule for what is said in many places")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        written = text[node.start_mark.index:node.end_mark.index]
        quoted = int(written[:1] in ("'", '"'))
        exact = written[quoted:len(written) - quoted].rstrip() == node.value
        return Located(node.value, source, place[1], place[2] + (quoted if exact else 0), exact)
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, text, source, seen) for item in node.value]
    values = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            mark = key_node.start_mark
            raise Located("", source, mark.line + 1, mark.column + 1).error("a key must be a text")
        key = _convert(key_node, text, source, seen)
        if key in values:
            first = next(other for other in values if other == key)
            raise key.error(f"the key '{key}' stands in line {first.line} already; keep one of them")
        values[key] = _convert(value_node, text, source, seen)
    return values
