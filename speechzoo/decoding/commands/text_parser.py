"""Written sentences under a grammar: what text means that nobody spoke to this model."""

import numpy as np

from speechzoo.decoding.commands.compiled_grammar import CompiledGrammar
from speechzoo.decoding.commands.decode import WORST_SCORE
from speechzoo.decoding.commands.parse import Parse
from speechzoo.text.normalize import normalize_words


class TextParser:
    """Finds texts among the sentences of a compiled grammar: the same intents and slots as for speech.

    It walks the graph that speech is decoded with, by its words in place of its units, so that a device needs the
    compiled file only.

    Args:
        grammar: The grammar, compiled for whichever model.
        language: ISO 639-1, of the texts; how figures and signs are spoken.

    Example:
        >>> from speechzoo.decoding.commands.compile import compile_grammar
        >>> from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
        >>> level = Slot("level", Choice((Value("10", Words("ten")), Value("20", Words("twenty")))))
        >>> spec = {"units": list(" 'abcdefghijklmnopqrstuvwxyz"), "kind": "characters", "frame_seconds": 0.04}
        >>> grammar = Grammar("radio", {"volume": Sequence((Words("volume"), level))})
        >>> parse = TextParser(compile_grammar(grammar, spec))("Volume 20!")
        >>> parse.intent, parse.slots
        ('volume', {'level': '20'})
    """

    def __init__(self, grammar: CompiledGrammar, language: str = "en"):
        self.grammar, self.language = grammar, language
        self._arcs = np.argsort(grammar.arc_source, kind="stable")
        sources = grammar.arc_source[self._arcs]
        self._first = np.searchsorted(sources, np.arange(len(grammar.node_unit) + 1)).tolist()
        self._targets = grammar.arc_target.tolist()
        self._ends = {}
        for end, node in enumerate(grammar.final_node.tolist()):
            self._ends.setdefault(node, []).append(end)

    def __call__(self, text: str) -> Parse:
        """What a text means.

        Args:
            text: As people write: case, punctuation, and figures or number words are all the same.

        Returns:
            An accepted parse without times of words, or one that isn't accepted where the text is no sentence of the
            grammar. Of intents with the same sentence it is the one that stands first in the grammar.
        """
        try:
            words = normalize_words(text, self.language).split()
        except ValueError:  # signs that nobody can say are in no grammar
            words = []
        came = {(0, 0): None}  # node, words so far -> the place before, the arc from there
        waiting, ends = [(0, 0)], []
        while waiting:
            place = node, count = waiting.pop()
            if count == len(words):
                ends += [(end, place) for end in self._ends.get(node, ())]
            for arc in self._arcs[self._first[node]:self._first[node + 1]].tolist():
                said = [label[1] for label in self.grammar.arc_labels(arc) if label[0] == "word"]
                reached = self._targets[arc], count + len(said)
                if reached not in came and said == words[count:reached[1]]:
                    came[reached] = place, arc
                    waiting.append(reached)
        if not words or not ends:
            return Parse(score=WORST_SCORE)
        return self._parse(came, *min(ends))

    def _parse(self, came, end, place):
        labels = [self.grammar.final_labels(end)]
        while came[place] is not None:
            place, arc = came[place]
            labels.append(self.grammar.arc_labels(arc))
        parse = Parse(confidence=1.0, accepted=True)
        for kind, name, *details in (label for arc in reversed(labels) for label in arc):
            if kind == "slot":
                parse.slots[name] = details[0]
                parse.slot_confidence[name] = 1.0
            elif kind == "intent":
                parse.intent = name
        return parse
