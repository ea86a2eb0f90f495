"""Viterbi token passing over an acceptor of CTC units, all tokens of a frame at once."""

import numpy as np

from speechzoo.decoding.commands.compiled_grammar import CompiledGrammar
from speechzoo.text.units import BLANK_INDEX, UNITS

_GRID = 2.0 ** -32  # nats; float64 sums of its multiples are exact up to two million nats


class TokenPassing:
    """The best paths through a compiled grammar, under the rules of CTC (Graves et al. 2006, section 3.1).

    Every node holds two tokens: one that is in the node's unit, and one in a blank after it. From a unit a path may go
    on to another unit at once, and to the same unit only over a blank; but phones need none: two alike meet where words
    do, and people say them as one long sound ("roast triple", "some milk").

    Args:
        grammar: The grammar.
        log_probs: (frames, units + 1), nats.
        beam: Tokens that are this much worse than a frame's best are dropped, nats.

    Attributes:
        scores: (ends,), log-probability of the best path to each of the grammar's ends, weights included; -inf where
            none arrives.
    """

    def __init__(self, grammar: CompiledGrammar, log_probs: np.ndarray, beam: float):
        self.grammar = grammar
        self._first_arcs = np.searchsorted(grammar.arc_target, np.arange(1, len(grammar.node_unit) + 1))
        same = grammar.node_unit[grammar.arc_source] == grammar.node_unit[grammar.arc_target]
        self._needs_blank = same & UNITS[grammar.kind].spelt
        self._tokens = []  # of every frame: nodes that hold one, and the scores in unit and blank
        # Phones that go on may be read as several sentences, which then match equally well but earn the bonus of a unit
        # in different frames. Exact sums keep them equal; otherwise the rounding of the last bit would choose, each
        # time anew. Weights are float32, so that those above 0.002 lie on the grid already.
        log_probs = np.round(np.asarray(log_probs, np.float64) / _GRID) * _GRID
        final_unit, final_blank = self._pass_tokens(log_probs, beam)
        self.scores = np.maximum(final_unit, final_blank)[grammar.final_node] + grammar.final_weight

    def _pass_tokens(self, log_probs, beam):
        """Only what holds tokens is looked at, so that a frame takes as long as the beam is wide, not as the grammar is
        large. Returns both scores of every node after the last frame."""
        grammar = self.grammar
        order = np.argsort(grammar.arc_source, kind="stable")  # arcs by where they come from
        targets, weights, needs_blank = grammar.arc_target[order], grammar.arc_weight[order], self._needs_blank[order]
        first_out = np.searchsorted(grammar.arc_source[order], np.arange(len(grammar.node_unit) + 1))
        num_out = np.diff(first_out)
        in_unit, in_blank = self._beginning()
        arriving = np.full(len(in_unit), -np.inf)
        holding = np.zeros(len(in_unit), bool)
        nodes = np.array([0])
        for row in log_probs:
            blank = in_blank[nodes]
            both = np.maximum(in_unit[nodes], blank)
            counts = num_out[nodes]
            ends = np.cumsum(counts)
            source = np.repeat(np.arange(len(nodes)), counts)
            arcs = np.arange(ends[-1]) + (first_out[nodes] - ends + counts)[source]
            going = np.where(needs_blank[arcs], blank[source], both[source]) + weights[arcs]
            reached = targets[arcs]
            np.maximum.at(arriving, reached, going)
            in_blank[nodes] = both + row[BLANK_INDEX]
            holding[nodes] = holding[reached] = True
            nodes = np.flatnonzero(holding)
            unit = np.maximum(in_unit[nodes], arriving[nodes]) + row[grammar.node_unit[nodes]]
            blank = in_blank[nodes]
            arriving[nodes] = in_unit[nodes] = in_blank[nodes] = -np.inf
            holding[nodes] = False
            best = np.maximum(unit, blank)
            kept = best > best.max() - beam
            nodes, unit, blank = nodes[kept], unit[kept], blank[kept]
            in_unit[nodes], in_blank[nodes] = unit, blank
            self._tokens.append((nodes, unit, blank))
        return in_unit, in_blank

    def _beginning(self):
        in_unit = np.full(len(self.grammar.node_unit), -np.inf)
        in_blank = in_unit.copy()
        in_blank[0] = 0.0
        return in_unit, in_blank

    def path(self, end: int) -> tuple[list[int], np.ndarray]:
        """The best path to one of the grammar's ends.

        Args:
            end: Index of the end; its score must be finite.

        Returns:
            The path's arcs, one for each unit, and int (arcs, 2): first frame of each unit and the one after its last.
            Of equally good paths it is always the same one.
        """
        grammar = self.grammar
        node = int(grammar.final_node[end])
        (in_unit,), (in_blank,) = self._scores_after(len(self._tokens), np.array([node]))
        blank = bool(in_blank > in_unit)
        arcs, spans, last = [], [], len(self._tokens)
        for frame in range(len(self._tokens) - 1, -1, -1):
            first, after = self._first_arcs[node - 1:node + 1]
            sources = grammar.arc_source[first:after]
            in_unit, in_blank = self._scores_after(frame, np.append(sources, node))
            if blank:
                blank = bool(in_blank[-1] >= in_unit[-1])
                last = frame
                continue
            arriving = np.where(self._needs_blank[first:after], in_blank[:-1], np.maximum(in_unit, in_blank)[:-1])
            arriving = arriving + grammar.arc_weight[first:after]
            best = int(arriving.argmax())
            if in_unit[-1] >= arriving[best]:
                continue
            arcs.append(int(first) + best)
            spans.append((frame, last))
            blank = bool(self._needs_blank[first + best] or in_blank[best] >= in_unit[best])
            node, last = int(sources[best]), frame
            if not node:
                break
        return arcs[::-1], np.array(spans[::-1], np.int64).reshape(-1, 2)

    def _scores_after(self, frames, nodes):
        """Both scores of some nodes after so many frames."""
        if not frames:
            return np.full(len(nodes), -np.inf), np.where(nodes == 0, 0.0, -np.inf)
        holding, in_unit, in_blank = self._tokens[frames - 1]
        places = np.minimum(np.searchsorted(holding, nodes), len(holding) - 1)
        found = holding[places] == nodes
        return np.where(found, in_unit[places], -np.inf), np.where(found, in_blank[places], -np.inf)
