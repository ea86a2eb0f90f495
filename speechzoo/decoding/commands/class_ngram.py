"""Free word order: an n-gram model over words and slots, learnt from the grammar's own sentences.

People say "a latte please, large" where a grammar knows "a large latte please". The n-gram keeps which words and slots
tend to follow each other, and lets go of the rest; a slot stands for any of its values.
"""

import math

from speechzoo.decoding.commands.compile import compile_graph
from speechzoo.decoding.commands.compiled_grammar import DEFAULT_THRESHOLD, CompiledGrammar
from speechzoo.decoding.commands.word_graph import MAXIMUM_STATES, WordGraph, node_graph
from speechzoo.grammar.nodes import Choice, Grammar, Node, Sequence, Slot, Value, Words
from speechzoo.grammar.sampling import sample_sentences
from speechzoo.text.ngram import SENTENCE_END, SENTENCE_START, UNKNOWN, NGram, build_ngram
from speechzoo.text.spelling import Lexicon


def compile_class_ngram(grammar: Grammar, head_spec: dict, lexicon: Lexicon | None = None, order: int = 2,
                        weight: float = 1.0, num_sentences: int = 5000, seed: int = 1,
                        threshold: float = DEFAULT_THRESHOLD) -> CompiledGrammar:
    """Compiles a class n-gram model (Brown et al. 1992) of each intent, for `grammar_decode`.

    An intent's sentences are paths through its own model, so that the words tell the intent. All ways to speak a slot's
    values are equally probable. Back-off is taken wherever it is better than what the model knows, as usual in a graph.

    Args:
        grammar: The grammar.
        head_spec: Spec of a `ctc` head.
        lexicon: Word -> pronunciations; needed where the units are phones.
        order: Words in the longest n-gram.
        weight: Factor of the model's log-probabilities.
        num_sentences: Sentences to estimate the models from, of all intents together.
        seed: Seed of the sentences.
        threshold: See `compile_grammar`.

    Raises:
        ValueError: See `compile_grammar`, and `build_ngram`.
    """
    sentences = {intent: [] for intent in grammar.intents}
    for sentence in sample_sentences(_with_classes(grammar), num_sentences, seed):
        sentences[sentence.intent].append(sentence.text)
    slots, graph = _slots(grammar), WordGraph()
    graph.start, graph.end = graph.add_state(), graph.add_state()
    for intent, texts in sentences.items():
        if any(texts):
            _Model(graph, build_ngram(texts, order), slots, weight, grammar.name).add(intent)
        if len(graph.spoken) > MAXIMUM_STATES:
            raise ValueError(f"grammar '{grammar.name}' is too large for free word order: more than {MAXIMUM_STATES:,} "
                             "states; decode with the grammar itself, or with fewer intents or values")
    return compile_graph(graph, grammar.name, head_spec, lexicon, threshold)


def _class_name(slot: str) -> str:
    """What stands for a slot in a sentence; no word is written like that, nor `<s>`."""
    return f"{{{slot}}}"


def _with_classes(grammar: Grammar) -> Grammar:
    """The grammar with `_class_name` spoken in the place of every slot, from which sentences can be sampled."""
    known: dict[int, Node] = {}

    def replaced(node):
        if id(node) not in known:
            if isinstance(node, Slot):
                known[id(node)] = Words(_class_name(node.name))
            elif isinstance(node, Sequence):
                known[id(node)] = Sequence(tuple(map(replaced, node.parts)))
            elif isinstance(node, Choice):
                known[id(node)] = Choice(tuple(dict.fromkeys(map(replaced, node.options))))
            elif isinstance(node, Value):
                known[id(node)] = replaced(node.spoken)
            else:
                known[id(node)] = node
        return known[id(node)]

    return Grammar(grammar.name, {intent: replaced(node) for intent, node in grammar.intents.items()}, grammar.language)


def _slots(grammar) -> dict[str, Node]:
    """Class name -> all that is spoken for the slot anywhere in the grammar."""
    found: dict[str, dict[int, Node]] = {}
    seen = set()
    waiting = list(grammar.intents.values())
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Slot):
            found.setdefault(_class_name(node.name), {})[id(node)] = node
        elif isinstance(node, (Sequence, Choice)):
            waiting += node.parts if isinstance(node, Sequence) else node.options
        elif isinstance(node, Value):
            waiting.append(node.spoken)
    return {name: Choice(tuple(nodes.values())) for name, nodes in found.items()}


class _Model:
    """One intent's n-gram model in a word graph: a state a history, an arc an n-gram, a silent arc a back-off."""

    def __init__(self, graph: WordGraph, model: NGram, slots: dict[str, Node], weight: float, name: str):
        self.graph, self.model, self.slots, self.name = graph, model, slots, name
        self.weight, self.scale = weight, weight * math.log(10)  # n-gram models are in log10
        self.states: dict[tuple, int] = {}
        self.values: dict[tuple[str, int], int] = {}

    def add(self, intent: str):
        self.graph.add_arc(self.graph.start, None, self._state((SENTENCE_START,)))
        ended = self.graph.add_state()
        self.graph.add_arc(ended, ("intent", intent), self.graph.end)
        for words, (log10, _) in self.model.entries.items():
            *history, word = words
            if word in (SENTENCE_START, UNKNOWN):
                continue
            source = self._state(tuple(history))
            if word == SENTENCE_END:
                self.graph.add_arc(source, None, ended, log10 * self.scale)
                continue
            target = self._state(words)
            if word in self.slots:
                self.graph.add_arc(source, None, self._class(word, target), log10 * self.scale)
            else:
                self.graph.add_arc(source, word, target, log10 * self.scale)

    def _state(self, history: tuple[str, ...]) -> int:
        """The state of the longest ending of a history that the model knows as one."""
        history = history[max(len(history) - self.model.order + 1, 0):]
        while history and history not in self.model.entries:
            history = history[1:]
        if history not in self.states:
            self.states[history] = self.graph.add_state()
            if history:
                backoff = self.model.entries[history][1] * self.scale
                self.graph.add_arc(self.states[history], None, self._state(history[1:]), backoff)
        return self.states[history]

    def _class(self, name: str, target: int) -> int:
        """Where the values of a slot begin that are followed by `target`."""
        if (name, target) not in self.values:
            values = node_graph(self.slots[name], self.name)
            first = len(self.graph.spoken)
            for _ in values.spoken:
                self.graph.add_state()
            weight = -math.log(_count_ends(values)) * self.weight
            for state, arcs in enumerate(values.spoken):
                for symbol, _, reached in arcs + values.silent[state]:
                    self.graph.add_arc(first + state, symbol, first + reached)
            self.graph.add_arc(first + values.end, None, target)
            self.values[name, target] = self.graph.add_state()
            self.graph.add_arc(self.values[name, target], None, first + values.start, weight)
        return self.values[name, target]


def _count_ends(graph: WordGraph) -> int:
    """Sentences of a graph without cycles, whose arcs lead to lower numbers."""
    counts = [0] * len(graph.spoken)
    counts[graph.end] = 1
    for state, arcs in enumerate(graph.spoken):
        counts[state] += sum(counts[target] for _, _, target in arcs + graph.silent[state])
    return counts[graph.start]
