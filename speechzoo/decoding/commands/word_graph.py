"""A grammar as a graph of words: deterministic, minimal, and as small as the grammar is regular.

What a sentence means is written into the graph as labels between the words, as late as it is known: a slot's value
after the value's last word, the intent after the last word of the sentence. So sentences that begin alike share their
beginning whatever they come to mean, and to make the graph deterministic and minimal a label is a symbol like a word.
"""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Node, Sequence, Slot, Value, Words

MAXIMUM_STATES = 200_000
"""A graph of more than `MAXIMUM_STATES` is refused: it would take minutes to compile and seconds to decode."""


@dataclass
class WordGraph:
    """Words and labels between numbered states.

    A label is a tuple: ("intent", name), or ("slot", name, value, words), where `words` is how many of the words before
    it speak the value.

    Attributes:
        spoken: For each state its arcs that a word is spoken on: (word, weight, target).
        silent: For each state its arcs without a word: (label or None, weight, target).
        start: Where every sentence begins.
        end: Where every sentence ends.
    """

    spoken: list[list[tuple[str, float, int]]] = field(default_factory=list)
    silent: list[list[tuple[tuple | None, float, int]]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def add_state(self) -> int:
        """A new state without arcs; returns its number."""
        self.spoken.append([])
        self.silent.append([])
        return len(self.spoken) - 1

    def add_arc(self, source: int, symbol: str | tuple | None, target: int, weight: float = 0.0):
        """An arc on which a word is spoken, or one that says what was meant (a tuple), or one that does neither."""
        arcs = self.spoken if isinstance(symbol, str) else self.silent
        arcs[source].append((symbol, weight, target))


def grammar_graph(grammar: Grammar, weighted: bool = False) -> WordGraph:
    """The deterministic, minimal graph of all sentences of all intents.

    Args:
        grammar: The grammar.
        weighted: Every way on from a state is equally probable, so that a name among a thousand costs more than a word
            without alternatives; otherwise all sentences weigh the same, 0.

    Raises:
        ValueError: The graph would have more than `MAXIMUM_STATES` states.
    """
    builder = _Builder(grammar.name)
    # Intent by intent: what one alone accepts is much smaller than the parts it is built from.
    starts = [builder.copy(_intent_graph(grammar, intent)) for intent in grammar.intents]
    return builder.deterministic(builder.union(starts), weighted)


def _intent_graph(grammar, intent):
    builder = _Builder(grammar.name)
    meaning = builder.state([(("intent", intent), _END)])
    return builder.deterministic(builder.build(grammar.intents[intent], meaning), weighted=False)


def node_graph(node: Node, name: str, weighted: bool = False) -> WordGraph:
    """The same for a single node, without an intent; `name` is that of its grammar, for messages."""
    builder = _Builder(name)
    return builder.deterministic(builder.build(node, _END), weighted)


_END = 0  # state that the builder begins with


class _Builder:
    """Builds from the last word to the first, so that equal ends are one state from the beginning."""

    def __init__(self, name: str):
        self.name = name
        self.arcs: list[tuple] = []
        self._numbers: dict[Hashable, int] = {}
        self._built: dict[tuple, int] = {}
        self._restricted: dict[int, dict[int, Node]] = {}
        self._kept = []  # nodes made here, which must live as long as their id() is a key
        self.state([])

    def state(self, arcs: Iterable[tuple]) -> int:
        """The state with exactly these arcs (symbol, target)."""
        arcs = tuple(dict.fromkeys(arcs))
        return self._number(self._numbers, self.arcs, frozenset(arcs), arcs)

    def union(self, states: list[int]) -> int:
        """A state from which everything goes on that goes on from one of `states`."""
        if _END in states and any(state != _END for state in states):
            # The end has no arcs to unite; a way there that says nothing keeps it a way.
            states = [self.state([(None, _END)]) if state == _END else state for state in states]
        return self.state(arc for state in states for arc in self.arcs[state]) if len(states) > 1 else states[0]

    def copy(self, graph: WordGraph) -> int:
        """The state from which all goes on that `graph`, made by `deterministic`, accepts."""
        states = []
        for spoken, silent in zip(graph.spoken, graph.silent):  # no state stands before one that it leads to
            states.append(self.state((symbol, states[target]) for symbol, _, target in [*spoken, *silent]))
        return states[graph.start]

    def build(self, node: Node, follow: int, slot: str | None = None) -> int:
        """The state from which `node` is spoken and then all that is spoken from `follow`."""
        key = (id(node), follow, slot)
        if key in self._built:
            return self._built[key]
        state = follow
        if isinstance(node, Words):
            for word in reversed(node.text.split()):
                state = self.state([(word, state)])
        elif isinstance(node, Sequence):
            for part in reversed(node.parts):
                state = self.build(part, state, slot)
        elif isinstance(node, Choice):
            state = self.union([self.build(option, follow, slot) for option in node.options])
        elif isinstance(node, Slot):
            state = self.build(node.spoken, follow, node.name)
        elif slot is None:
            state = self.build(node.spoken, follow)
        else:
            state = self.union([self.build(spoken, self.state([(("slot", slot, node.value, count), follow)]))
                                for count, spoken in self._by_length(node.spoken).items()])
        self._built[key] = state
        return state

    def _by_length(self, node: Node) -> dict[int, Node]:
        """Number of words -> what `node` speaks in so many."""
        if id(node) in self._restricted:
            return self._restricted[id(node)]
        if isinstance(node, Words):
            lengths = {len(node.text.split()): node}
        elif isinstance(node, (Slot, Value)):
            lengths = self._by_length(node.spoken)
        else:
            options: dict[int, list] = {}
            if isinstance(node, Choice):
                for option in node.options:
                    for count, spoken in self._by_length(option).items():
                        options.setdefault(count, []).append(spoken)
            else:
                options = {0: [NOTHING]}
                for part in node.parts:
                    longer: dict[int, list] = {}
                    for count, spoken in self._by_length(part).items():
                        for before, starts in options.items():
                            longer.setdefault(before + count, []).extend(Sequence((start, spoken)) for start in starts)
                    options = {count: [self._one_of(spoken)] for count, spoken in longer.items()}
            lengths = {count: self._one_of(spoken) for count, spoken in sorted(options.items())}
        self._kept += [node, *lengths.values()]
        self._restricted[id(node)] = lengths
        return lengths

    @staticmethod
    def _one_of(nodes: list) -> Node:
        return nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))

    def deterministic(self, start: int, weighted: bool) -> WordGraph:
        """Subset construction from the end back: every set of states is numbered by the arcs that it turns out to have,
        so that no two states of the result accept the same (Revuz 1992, "Minimisation of acyclic deterministic automata
        in linear time")."""
        numbers: dict[Hashable, int] = {}
        states: list[tuple] = []
        end = self._number(numbers, states, frozenset(), ())
        done = {frozenset([_END]): end}
        waiting = [frozenset([start])]
        while waiting:
            subset = waiting[-1]
            if subset in done:
                waiting.pop()
                continue
            reached: dict[str | tuple, dict[int, None]] = {}
            for state in sorted(subset):
                for symbol, target in self.arcs[state]:
                    reached.setdefault(symbol, {})[target] = None
            targets = {symbol: frozenset(states) for symbol, states in reached.items()}
            missing = [target for target in targets.values() if target not in done]
            if missing:
                waiting += missing
                continue
            arcs = tuple((symbol, done[target]) for symbol, target in targets.items())
            done[subset] = self._number(numbers, states, frozenset(arcs), arcs)
            waiting.pop()
        graph = WordGraph(end=end, start=done[frozenset([start])])
        for arcs in states:
            source = graph.add_state()
            weight = -math.log(len(arcs)) if weighted and arcs else 0.0
            for symbol, target in arcs:
                graph.add_arc(source, symbol, target, weight)
        return graph

    def _number(self, numbers, states, key, arcs) -> int:
        if key not in numbers:
            if len(states) >= MAXIMUM_STATES:
                raise ValueError(f"grammar '{self.name}' is too large: more than {MAXIMUM_STATES:,} states; "
                                 "split it, or use fewer optional parts in any order")
            numbers[key] = len(states)
            states.append(arcs)
        return numbers[key]
