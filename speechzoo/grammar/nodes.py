"""What a grammar is made of: every file format is read into these nodes, and everything else starts from them.

Nodes are immutable and may be shared: a grammar is a directed acyclic graph, so a list of a thousand songs is held once
however many sentences name it.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Words spoken one after another: lower case letters and apostrophes, separated by single spaces; never empty."""

    text: str


@dataclass(frozen=True)
class Sequence:
    """Nodes spoken one after another; without parts, nothing is spoken."""

    parts: tuple = ()


@dataclass(frozen=True)
class Choice:
    """One of several nodes; an empty `Sequence` among them makes it optional."""

    options: tuple


@dataclass(frozen=True)
class Value:
    """`spoken` means `value`; synonyms are several values of one name."""

    value: str
    spoken: "Node"


@dataclass(frozen=True)
class Slot:
    """`spoken` fills the slot `name`, with the `Value` inside that was chosen."""

    name: str
    spoken: "Node"


Node = Words | Sequence | Choice | Value | Slot
NOTHING = Sequence()


def choice(nodes: Iterable[Node]) -> Node:
    """One of some nodes; of a single one, that node itself."""
    options = tuple(nodes)
    return options[0] if len(options) == 1 else Choice(options)


@dataclass(frozen=True)
class Grammar:
    """The sentences of every intent.

    Attributes:
        name: For messages; the file's name without its ending.
        intents: Intent -> node. Each accepts at least one sentence.
        language: ISO 639-1.
    """

    name: str
    intents: dict[str, Node]
    language: str = "en"

    def slots(self) -> dict[str, list[str]]:
        """Every slot's possible values, in the order of the grammar."""
        found: dict[str, dict[str, None]] = {}
        seen = set()

        def visit(node, slot):
            if (id(node), slot) in seen:
                return
            seen.add((id(node), slot))
            if isinstance(node, Slot):
                found.setdefault(node.name, {})
                visit(node.spoken, node.name)
            elif isinstance(node, Value):
                if slot is not None:
                    found[slot][node.value] = None
            elif isinstance(node, (Sequence, Choice)):
                for child in node.parts if isinstance(node, Sequence) else node.options:
                    visit(child, slot)

        for node in self.intents.values():
            visit(node, None)
        return {name: list(values) for name, values in found.items()}


@dataclass(frozen=True)
class Sentence:
    """One sentence of a grammar and what it means.

    Attributes:
        text: The words, as in `Words`.
        intent: The intent.
        slots: Slot -> value, of the slots that the sentence fills.
    """

    text: str
    intent: str
    slots: dict[str, str]
