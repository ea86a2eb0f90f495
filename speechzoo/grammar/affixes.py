"""Letters at a slot or a rule that are part of its first or last word: `{room}s`, `l'{room}`, `{room}licht`."""

import dataclasses

from speechzoo.grammar.nodes import NOTHING, Choice, Node, Sequence, Slot, Value, Words, choice


class Affixer:
    """Writes letters onto the words at an end of nodes; of the same letters on the same node there is one result.

    Args:
        silent: What is known of which nodes can be silent; see `can_be_silent`.
    """

    def __init__(self, silent: dict):
        self._silent = silent
        self._made: dict[tuple, tuple[Node, Node]] = {}

    def __call__(self, node: Node, letters: str, at_end: bool, text, offset: int = 0) -> Node:
        """The node with letters before its first word, or behind its last.

        Args:
            node: Says something.
            letters: Part of a word, without blanks.
            at_end: Behind the last word.
            text: The template, a `Located`, for messages, with the `offset` in it.

        Raises:
            GrammarError: The word that the letters belong to can't be told.
        """
        key = id(node), letters, at_end
        if key not in self._made:
            # The node too: an id is good as long as what it names lives.
            self._made[key] = node, self._affixed(node, letters, at_end, text, offset)
        return self._made[key][1]

    def _affixed(self, node, letters, at_end, text, offset):
        if isinstance(node, Words):
            return Words(node.text + letters if at_end else letters + node.text)
        if isinstance(node, (Slot, Value)):
            return dataclasses.replace(node, spoken=self(node.spoken, letters, at_end, text, offset))
        if isinstance(node, Choice):
            return choice(self(option, letters, at_end, text, offset) for option in node.options)
        edge, rest = (node.parts[-1], node.parts[:-1]) if at_end else (node.parts[0], node.parts[1:])

        def put(part):
            return sequence((*rest, part) if at_end else (part, *rest))

        if not can_be_silent(edge, self._silent):
            return put(self(edge, letters, at_end, text, offset))
        if not isinstance(edge, Choice):
            raise text.error("letters touch what may be said by saying nothing; put a blank between", offset)
        said = [put(self(option, letters, at_end, text, offset)) for option in edge.options if option != NOTHING]
        return choice([self(put(NOTHING), letters, at_end, text, offset), *said])


def sequence(parts) -> Node:
    """Nodes one after another; of a single one, that node itself."""
    parts = tuple(part for part in parts if part != NOTHING)
    return parts[0] if len(parts) == 1 else Sequence(parts) if parts else NOTHING


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
