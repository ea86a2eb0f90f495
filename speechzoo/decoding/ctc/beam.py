"""CTC prefix beam search with a language model and a word list."""

import math
from collections.abc import Iterable

import numpy as np

from speechzoo.decoding.ctc.boosting import PhraseBoost
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.paths import frame_log_probs, make_hypothesis
from speechzoo.decoding.ctc.viterbi import align
from speechzoo.text.ngram import SENTENCE_END, SENTENCE_START, NGram
from speechzoo.text.units import BLANK_INDEX, units_of

_LEAST_PROBABILITY = 1e-30
_WORD_ENDS = ""  # key of a trie node at which a word is complete


class BeamSearch:
    """Prefix beam search: the most probable text, summed over all its CTC paths.

    A text scores log P(text | audio) + lm_weight * ln P(text) + word_bonus * words, in nats. An instance is a decoder
    for `recognize_outputs`; it holds the language model, so make it once.

    Args:
        beam_width: Texts kept after every frame.
        language_model: An NGram over words, or anything with its `log10`, `known` and `order`.
        lm_weight: Factor of the language model's log-probability.
        word_bonus: Added for every word, since a language model alone favours short texts; None is 1 with a language
            model and 0 without.
        words: The only words allowed; None allows any spelling. A text with several words counts for each of them.
        unit_log_prob: Units below this log-probability in a frame are not tried there, nats; it makes the search fast.
        boost: Phrases that are favoured (`recognize --boost`): each turns calls that are closer than its bonus, for
            the better where it was said and for the worse where something like it was.

    Reference: Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition using bi-directional
    recurrent DNNs", algorithm 1.

    Example:
        >>> spec = {"type": "ctc", "units": ["a", "b"], "kind": "characters", "frame_seconds": 0.04}
        >>> logits = np.log([[0.4, 0.3, 0.3], [0.4, 0.35, 0.25]])
        >>> BeamSearch(beam_width=8)(logits, spec).text
        'a'
    """

    def __init__(self, beam_width: int = 16, language_model: NGram | None = None, lm_weight: float = 0.5,
                 word_bonus: float | None = None, words: Iterable[str] | None = None, unit_log_prob: float = -8.0,
                 boost: PhraseBoost | None = None):
        if beam_width < 1:
            raise ValueError(f"beam_width is 1 or more, got {beam_width}")
        self.beam_width = beam_width
        self.language_model = language_model
        self.lm_weight = lm_weight
        self.word_bonus = float(language_model is not None) if word_bonus is None else word_bonus
        self.trie = None if words is None else _make_trie(words)
        self.unit_log_prob = unit_log_prob
        self.boost = boost
        self._word_scores = {}

    def __call__(self, logits: np.ndarray, head_spec: dict) -> Hypothesis:
        """Decodes one utterance.

        Args:
            logits: (frames, units + 1); index 0 is the blank.
            head_spec: Spec of the `ctc` head.

        Returns:
            The best hypothesis; words get their times by forced alignment.

        Raises:
            ValueError: Logits of another shape, or not finite.
        """
        log_probs = frame_log_probs(logits, len(head_spec["units"]))
        units = units_of(head_spec)
        history = (SENTENCE_START,) if self.language_model else ()
        beam = [_Prefix(None, BLANK_INDEX, 0.0, "", history, self.trie, self.boost and self.boost.start)]
        beam[0].ends_in_blank = 1.0
        # Probabilities rather than their logarithms, scaled so that the beam sums to one: much faster in Python.
        log_scale = 0.0
        # Never 0: where a word list forbids all that a too sure network allows, what remains must still be compared.
        probabilities = np.maximum(np.exp(log_probs), _LEAST_PROBABILITY)
        tried = log_probs >= self.unit_log_prob
        tried[:, BLANK_INDEX] = False
        for frame in range(len(log_probs)):
            row = probabilities[frame].tolist()
            reached = self._step(beam, row, np.flatnonzero(tried[frame]).tolist(), units)
            beam = sorted(reached, key=_Prefix.rank, reverse=True)[:self.beam_width]
            total = sum(prefix.ends_in_blank + prefix.ends_in_unit for prefix in beam)
            for prefix in beam:
                prefix.ends_in_blank /= total
                prefix.ends_in_unit /= total
            log_scale += math.log(total)
        best, score = self._finish(beam, units)
        spans, _ = align(log_probs, best)
        return make_hypothesis(log_probs, best, spans, head_spec, score + log_scale)

    def _step(self, beam, row, candidates, units):
        """One frame: every prefix stays as it is or takes one more unit. Returns the prefixes reached."""
        before = [(prefix, prefix.ends_in_blank, prefix.ends_in_unit) for prefix in beam]
        reached = {id(prefix): prefix for prefix in beam}
        for prefix in beam:
            prefix.ends_in_blank = prefix.ends_in_unit = 0.0
        for prefix, blank, unit in before:
            both = blank + unit
            prefix.ends_in_blank += both * row[BLANK_INDEX]
            if prefix.unit != BLANK_INDEX:
                prefix.ends_in_unit += unit * row[prefix.unit]
            for index in candidates:
                gain = (blank if index == prefix.unit else both) * row[index]
                if not gain:
                    continue
                if index in prefix.children:
                    child = prefix.children[index]
                else:
                    child = prefix.children[index] = self._extend(prefix, index, units)
                if child is None:  # no word is spelt like that
                    continue
                if id(child) not in reached:
                    reached[id(child)] = child
                    child.ends_in_blank = child.ends_in_unit = 0.0
                child.ends_in_unit += gain
        return [prefix for prefix in reached.values() if prefix.ends_in_blank + prefix.ends_in_unit > 0]

    def _extend(self, prefix, index, units):
        """The prefix with one more unit, or None where the word list forbids it."""
        unit = units.names[index - 1]
        bonus, word, history, node, boosted = prefix.bonus, prefix.word, prefix.history, prefix.node, prefix.boosted
        if units.starts_word(unit):
            if word:
                if node is not None and _WORD_ENDS not in node:
                    return None
                bonus += self._word_score(word, history)
                history = self._after(word, history)
            word, node = "", self.trie
        text = units.text(unit)
        if node is not None:
            for letter in text:
                node = node.get(letter)
                if node is None:
                    return None
        if self.boost is not None:
            boosted, gain = self.boost.step(boosted, units.written(unit))
            bonus += gain
        return _Prefix(prefix, index, bonus, word + text, history, node, boosted)

    def _word_score(self, word, history):
        if self.language_model is None:
            return self.word_bonus
        key = (history, word)
        if key not in self._word_scores:
            log10 = self.language_model.log10(word, history)
            self._word_scores[key] = self.lm_weight * log10 * math.log(10) + self.word_bonus
        return self._word_scores[key]

    def _after(self, word, history):
        """The history that the next word sees: only as much as the model looks back, so that scores are shared."""
        if self.language_model is None:
            return history
        kept = self.language_model.order - 1
        return (*history, self.language_model.known(word))[-kept:] if kept else ()

    def _finish(self, beam, units):
        """Unit indices and score of the best prefix once its last word and the sentence are ended."""
        finished = []
        for prefix in beam:
            if prefix.word and prefix.node is not None and _WORD_ENDS not in prefix.node:
                continue
            score, history = prefix.rank(), prefix.history
            if prefix.word:
                score += self._word_score(prefix.word, history)
                history = self._after(prefix.word, history)
            if self.boost is not None:
                score += self.boost.finish(prefix.boosted)
            if self.language_model is not None:
                score += self.lm_weight * self.language_model.log10(SENTENCE_END, history) * math.log(10)
            finished.append((score, prefix))
        if finished:
            score, prefix = max(finished, key=lambda pair: pair[0])
            return prefix.units(), score
        # The audio ends inside a word: what stands before it is all that the word list knows.
        best, indices = beam[0], beam[0].units()
        names = [units.names[index - 1] for index in indices]
        starts = [position + (name == units.separator) for position, name in enumerate(names)
                  if units.starts_word(name)]
        return indices[:starts[-1] if starts else 0], best.rank()


class _Prefix:
    """A text under way: its last unit, its parent, and the probability of its paths by how they end."""

    __slots__ = ("parent", "unit", "bonus", "word", "history", "node", "boosted", "children",
                 "ends_in_blank", "ends_in_unit")

    def __init__(self, parent, unit, bonus, word, history, node, boosted):
        self.parent, self.unit = parent, unit
        self.bonus = bonus  # nats from the language model, the word bonus and the favoured phrases
        self.word = word  # what is written of the word under way
        self.history = history  # words that the language model still looks at
        self.node = node  # where that word stands in the trie of allowed words
        self.boosted = boosted  # where the text stands among the favoured phrases
        self.children = {}
        self.ends_in_blank = self.ends_in_unit = 0.0

    def rank(self):
        return math.log(self.ends_in_blank + self.ends_in_unit) + self.bonus

    def units(self):
        indices, prefix = [], self
        while prefix.parent is not None:
            indices.append(prefix.unit)
            prefix = prefix.parent
        return indices[::-1]


def _make_trie(words):
    trie = {}
    for word in (word for text in words for word in text.split()):
        node = trie
        for letter in word:
            node = node.setdefault(letter, {})
        node[_WORD_ENDS] = True
    if not trie:
        raise ValueError("the word list is empty")
    return trie
