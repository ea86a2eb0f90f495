"""A lexicon as a prefix tree: words that begin alike share the phones that they begin with."""

from collections.abc import Iterable

import numpy as np

from speechzoo.text.units import BLANK_INDEX


class PronunciationTree:
    """Words by their pronunciations, as flat arrays that a search reads.

    Node 0 is where every word begins. A search goes on from a finished word under the rules of CTC, by which equal
    units need a blank between them; so there is one more such root for each unit that the word before may end in.

    Args:
        pronunciations: (word, unit indices from 1, log-probability of the word), one for each pronunciation.
        num_units: Units of the head, without the blank.

    Attributes:
        words: The word of each pronunciation.
        pronunciations: Its units.
        unit: int (nodes,), unit that leads to each node; the blank for node 0.
        ends: Node -> the pronunciations that are complete there, by their position in `words`.
        look_ahead: (nodes,), the log-probability of the most probable word under each node, nats.

    Raises:
        ValueError: No pronunciations.
    """

    def __init__(self, pronunciations: Iterable[tuple[str, tuple[int, ...], float]], num_units: int):
        children, unit, best = [{}], [BLANK_INDEX], [-np.inf]
        self.words, self.pronunciations, self.ends = [], [], {}
        for word, units, log_prob in pronunciations:
            node = 0
            best[0] = max(best[0], log_prob)
            for index in units:
                if index not in children[node]:
                    children[node][index] = len(children)
                    children.append({})
                    unit.append(index)
                    best.append(-np.inf)
                node = children[node][index]
                best[node] = max(best[node], log_prob)
            self.ends.setdefault(node, []).append(len(self.words))
            self.words.append(word)
            self.pronunciations.append(units)
        if not self.words:
            raise ValueError("no word to search for: the lexicon and the language model have none in common")
        self._first_root = len(children)
        roots = np.arange(1, num_units + 1)
        self.unit = np.concatenate([unit, roots])
        self.look_ahead = np.concatenate([best, np.full(num_units, best[0])])
        self.is_end = np.zeros(len(self.unit), bool)
        self.is_end[list(self.ends)] = True
        counts = [len(following) for following in children]
        firsts = np.cumsum([0, *counts[:-1]])
        self._count = np.concatenate([counts, np.full(num_units, counts[0])])
        self._first_child = np.concatenate([firsts, np.zeros(num_units, int)])
        self._children = np.array([child for following in children for child in following.values()])

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self.unit)

    def root_after(self, unit: np.ndarray) -> np.ndarray:
        """The nodes where words begin after a word that ended in each of `unit`, indices from 1."""
        return self._first_root + unit - 1

    def is_root(self, nodes: np.ndarray) -> np.ndarray:
        """Which of the nodes words begin at."""
        return (nodes == 0) | (nodes >= self._first_root)

    def children(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All nodes that follow some nodes: the position in `nodes` of each one's parent, and the nodes themselves."""
        counts = self._count[nodes]
        ends = np.cumsum(counts)
        parents = np.repeat(np.arange(len(nodes)), counts)
        return parents, self._children[np.arange(ends[-1]) + (self._first_child[nodes] - ends + counts)[parents]]
