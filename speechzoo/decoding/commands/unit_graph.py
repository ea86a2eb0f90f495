"""From a graph of words to a graph of CTC units, as flat arrays that token passing reads.

Each word state gets a prefix tree of the words that may follow, and equal branches of all trees are one. The trees'
units then become the nodes: a node is one unit in one place, so that its self loop and its blank, which CTC adds, need
no arcs.
"""

import numpy as np

from speechzoo.decoding.commands.word_graph import WordGraph
from speechzoo.text.spelling import Spelling
from speechzoo.text.units import BLANK_INDEX

MAXIMUM_ARCS = 2_000_000
"""A graph of more than `MAXIMUM_ARCS` is refused: a frame would take longer to decode than it lasts."""


def unit_graph(graph: WordGraph, spelling: Spelling) -> dict:
    """Spells a word graph.

    Args:
        graph: The words.
        spelling: How to write them.

    Returns:
        `labels`, a list of tuples: the word graph's, and ("word", text, units) where a word is complete after so many
        units; and arrays:
        `node_unit` (nodes,), unit of each node; node 0 is where every sentence begins, and its unit the blank;
        `arc_source`, `arc_target`, `arc_weight` (arcs,), sorted by target; `arc_label_start` (arcs + 1,) and
        `arc_label`, the labels of arc i being `arc_label[arc_label_start[i]:arc_label_start[i + 1]]`;
        `final_node`, `final_weight` (ends,), nodes where a sentence may end; `final_label_start` (ends + 1,) and
        `final_label`, likewise. A node may have several ends, which mean different things.

    Raises:
        ValueError: A word can't be spelt, no sentence has a word, or the graph is too large.
    """
    return _Speller(graph, spelling).arrays()


class _Speller:
    """States hold arcs (unit, weight, labels, target state); a word state becomes the state between two words."""

    def __init__(self, graph, spelling):
        self.graph, self.spelling = graph, spelling
        self.arcs: list[tuple] = []
        self.between: dict[int, int] = {}  # word state -> the state that follows its last word
        self.ends: dict[int, list] = {}  # that state -> [(weight, labels)]
        self.trees: dict[int, int] = {}  # word state -> the state from which its words are spelt
        self.numbers: dict[tuple, int] = {}
        self.waiting = []

    def arrays(self):
        start = self._between(self.graph.start, first=True)
        while self.waiting:
            self._connect(*self.waiting.pop())
        # Every pair of a state and a unit that leads to it is a node.
        node_of, nodes = {(start, BLANK_INDEX): 0}, [(start, BLANK_INDEX)]
        sources, targets, weights, labels = [], [], [], []
        for number, (state, _) in enumerate(nodes):  # grows under way
            for unit, weight, said, target in self.arcs[state]:
                key = (target, unit)
                if key not in node_of:
                    node_of[key] = len(nodes)
                    nodes.append(key)
                sources.append(number)
                targets.append(node_of[key])
                weights.append(weight)
                labels.append(said)
            if len(sources) > MAXIMUM_ARCS:
                raise ValueError(f"{self.spelling.source} is too large: more than {MAXIMUM_ARCS:,} arcs; split it")
        ends = [(number, *end) for number, (state, _) in enumerate(nodes) if number for end in self.ends.get(state, ())]
        if not ends:
            raise ValueError(f"{self.spelling.source}: no sentence with a word in it")
        order = np.argsort(targets, kind="stable")
        names: dict[tuple, int] = {}
        arc_label_start, arc_label = _ragged([labels[arc] for arc in order], names)
        final_label_start, final_label = _ragged([said for _, _, said in ends], names)
        return {
            "labels": list(names),
            "node_unit": np.array([unit for _, unit in nodes], np.int32),
            "arc_source": np.array(sources, np.int32)[order],
            "arc_target": np.array(targets, np.int32)[order],
            "arc_weight": np.array(weights, np.float32)[order],
            "arc_label_start": arc_label_start,
            "arc_label": arc_label,
            "final_node": np.array([node for node, _, _ in ends], np.int32),
            "final_weight": np.array([weight for _, weight, _ in ends], np.float32),
            "final_label_start": final_label_start,
            "final_label": final_label,
        }

    def _between(self, word_state, first=False) -> int:
        """The state after the last word that leads to `word_state`; its arcs are laid later, for graphs have cycles."""
        key = -1 if first else word_state  # before the first word there is no separator
        if key not in self.between:
            self.between[key] = len(self.arcs)
            self.arcs.append(())
            self.waiting.append((word_state, self.between[key], first))
        return self.between[key]

    def _connect(self, word_state, state, first):
        arcs, ends, separator = {}, [], self.spelling.separator

        def add(unit, weight, said, target):
            key = unit, said, target
            arcs[key] = max(weight, arcs.get(key, weight))

        for reached, (weight, said) in self._silently_reached(word_state).items():
            if reached[0] == self.graph.end:
                ends.append((weight, said))
            elif self.graph.spoken[reached[0]]:
                tree = self._tree(reached[0])
                if separator is not None and not first:
                    add(separator, weight, said, tree)
                    continue
                for unit, more, word, target in self.arcs[tree]:
                    add(unit, weight + more, said + word, target)
        self.arcs[state] = tuple((unit, weight, said, target) for (unit, said, target), weight in arcs.items())
        self.ends[state] = ends

    def _silently_reached(self, word_state) -> dict:
        """(state, labels on the way) -> (best weight, labels), over all arcs on which nothing is spoken."""
        reached, waiting = {}, [(word_state, 0.0, ())]
        for state, weight, said in waiting:  # grows under way
            if (state, said) in reached and reached[state, said][0] >= weight:
                continue
            reached[state, said] = (weight, said)
            for label, more, target in self.graph.silent[state]:
                waiting.append((target, weight + more, said if label is None else (*said, label)))
        return reached

    def _tree(self, word_state) -> int:
        if word_state not in self.trees:
            items = [(spelling, weight, ("word", word, len(spelling)), self._between(target))
                     for word, weight, target in self.graph.spoken[word_state]
                     for spelling in self.spelling.spell(word)]
            self.trees[word_state] = self._branch(items, 0, 0.0)
        return self.trees[word_state]

    def _branch(self, items, depth, paid) -> int:
        """The state from which the rest of `items` is spelt, after `depth` units; weights stand as early as they are
        known, so that a beam sees them, and `paid` of them is behind."""
        groups, arcs = {}, []
        for item in items:
            groups.setdefault(item[0][depth], []).append(item)
        for unit, group in groups.items():
            longer = []
            for item in group:
                spelling, weight, word, target = item
                if len(spelling) == depth + 1:
                    arcs.append((unit, round(weight - paid, 6), (word,), target))
                else:
                    longer.append(item)
            if longer:
                best = max(item[1] for item in longer)
                arcs.append((unit, round(best - paid, 6), (), self._branch(longer, depth + 1, best)))
        key = tuple(arcs)
        if key not in self.numbers:
            self.numbers[key] = len(self.arcs)
            self.arcs.append(key)
        return self.numbers[key]


def _ragged(rows, names):
    """Rows of labels as starts and numbers; `names` collects the labels."""
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    return starts, np.array([names.setdefault(label, len(names)) for row in rows for label in row], np.int32)
