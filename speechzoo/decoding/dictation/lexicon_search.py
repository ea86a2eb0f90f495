"""Transcripts from phones: the words of a large lexicon, by how they sound and how they follow each other."""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.paths import frame_log_probs, make_word, text_confidence, unit_peaks
from speechzoo.decoding.ctc.viterbi import align
from speechzoo.decoding.decoder import Decoder, output_of
from speechzoo.decoding.dictation.pronunciation_tree import PronunciationTree
from speechzoo.decoding.heads import find_head
from speechzoo.text.ngram import SENTENCE_END, SENTENCE_START, UNKNOWN, NGram
from speechzoo.text.spelling import Lexicon
from speechzoo.text.units import BLANK_INDEX

DICTATION_PRIOR_SCALE = 0.6
"""`DICTATION_PRIOR_SCALE` is the share of a unit's log prior that is subtracted, where the head's priors were measured.
No benchmark here varies it; `speechzoo evaluate --dictation` measures with it."""


class LexiconSearch(Decoder):
    """The most probable sentence of known words, from a head that writes phones.

    A network hears how a word sounds long before it learns how it is spelt. So the words are looked up by their phones:
    tokens pass through a prefix tree of all pronunciations, a copy of it for every history that the language model
    tells apart, under the rules of CTC. A sentence scores ln P(phones | audio) - 0.6 ln P(phones) + lm_weight *
    ln P(words) + word_bonus * words, in nats, the best path standing for all.

    An instance answers the transcript from the phones, in place of the transcript's head. It holds the lexicon and the
    language model, so make it once.

    Args:
        spec: The model's spec: `MultiTaskModel.spec`, `EdgeModel.spec`.
        lexicon: Word -> pronunciations, as `text.lexicon.load_lexicon` reads them. Words that the language model
            doesn't know are left out.
        language_model: An `NGram`, or anything with its `log10`, `known` and `order`; None takes every word for
            equally probable.
        lm_weight: Factor of the language model's log-probability.
        word_bonus: Added for every word.
        beam: Tokens that are this much worse than a frame's best are dropped, nats.
        maximum_tokens: The best so many are kept of each frame.

    Attributes:
        head: Name of the head that is read.

    Raises:
        ValueError: The model has no head for phones, or no word of the lexicon can be searched for.

    Reference: Ney and Ortmanns 1999, "Dynamic programming search for continuous speech recognition", IEEE Signal
        Processing Magazine 16(5): tree search with a copy for each history, and look-ahead.

    Example:
        search = LexiconSearch(model.spec, load_lexicon("cmudict"), load_language_model("pocketsphinx"))
        model.recognize("note.wav", decoder=search).transcript
    """

    labels = ("transcript",)

    def __init__(self, spec: dict, lexicon: Lexicon, language_model: NGram | None = None, lm_weight: float = 1.0,
                 word_bonus: float = 0.0, beam: float = 12.0, maximum_tokens: int = 1000):
        self.head = find_head(spec, type="ctc", kind="phones")
        if self.head is None:
            raise ValueError("a lexicon needs a head that writes phones; the model has: " + ", ".join(spec["heads"]))
        self.heads = (self.head,)
        self._spec = spec["heads"][self.head]
        self.language_model = language_model
        self.lm_weight, self.word_bonus, self.beam, self.maximum_tokens = lm_weight, word_bonus, beam, maximum_tokens
        units = {unit: index for index, unit in enumerate(self._spec["units"], 1)}
        self._uniform = -math.log(max(len(lexicon), 1))
        self.tree = PronunciationTree(self._pronunciations(lexicon, units), len(units))
        self._unit_cost = np.zeros(len(units) + 1)
        if "log_prior" in self._spec:
            self._unit_cost += DICTATION_PRIOR_SCALE * np.asarray(self._spec["log_prior"])
        self._lock = threading.Lock()  # a server's threads share the search, and with it what follows
        self._histories: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}
        self._following: dict[tuple[int, int], tuple[float, int]] = {}

    def _pronunciations(self, lexicon, units) -> Iterable[tuple[str, tuple[int, ...], float]]:
        """Word, units and weighted log-probability of all that can be said."""
        for word, pronunciations in lexicon.items():
            log_prob = self._uniform
            if self.language_model is not None:
                if self.language_model.known(word) == UNKNOWN:
                    continue
                log_prob = self.lm_weight * self.language_model.log10(word) * math.log(10)
            for phones in pronunciations:
                if phones and all(phone in units for phone in phones):
                    yield word, tuple(units[phone] for phone in phones), log_prob + self.word_bonus

    def __call__(self, outputs: dict[str, np.ndarray]) -> Hypothesis:
        """Decodes one utterance.

        Args:
            outputs: Head -> array; that of `head` is (frames, phones + 1) logits, index 0 the blank.

        Returns:
            The best sentence; words get their times by forced alignment. It is empty where no sentence of known words
            fits, as in silence.

        Raises:
            ValueError: The output of `head` is missing, of another shape, or not finite.
        """
        with output_of(outputs, self.head) as logits:
            log_probs = frame_log_probs(logits, len(self._spec["units"]))
        with self._lock:
            return self._search(log_probs)

    def _search(self, log_probs):
        start = (SENTENCE_START,) if self.language_model is not None else ()
        # Numbers of histories and what is known of them are kept from call to call only as long as they are few.
        if len(self._histories) > 100_000:
            self._histories, self._numbers, self._following = [], {}, {}
        tokens = _Tokens.at(self._number(start) * len(self.tree), self.tree.look_ahead[0])
        traces = [(-1, -1)]  # trace of the sentence without its last word, last word's pronunciation
        for row in log_probs - self._unit_cost:
            tokens, entered = self._advance(tokens, row)
            tokens = self._end_words(tokens, entered, traces)
        trace, score = self._finish(tokens)
        return self._hypothesis(log_probs, traces, trace, score)

    def write(self, result, meaning: Hypothesis):
        """As `Decoder.write`: the transcript and its words."""
        answer_kind(self._spec).read(result, "transcript", meaning, self._spec)

    def _advance(self, tokens, row):
        """One frame: every token stays in its unit, goes into the blank after it, or goes on to the next unit. Returns
        the tokens worth keeping, and which of them have just come into their unit."""
        tree = self.tree
        node = tokens.place % len(tree)
        best = np.maximum(tokens.in_unit, tokens.in_blank)
        trace = np.where(tokens.in_unit >= tokens.in_blank, tokens.unit_trace, tokens.blank_trace)
        stays = _Tokens(tokens.place, tokens.in_unit + row[tree.unit[node]], tokens.unit_trace,
                        best + row[BLANK_INDEX], trace)
        parent, child = tree.children(node)
        again = tree.unit[child] == tree.unit[node][parent]
        score = np.where(again, tokens.in_blank[parent], best[parent]) + row[tree.unit[child]]
        score += tree.look_ahead[child] - tree.look_ahead[node][parent]
        least = max(stays.best().max(), score.max()) - self.beam
        worth = score > least
        parent, score = parent[worth], score[worth]
        goes = _Tokens((tokens.place - node)[parent] + child[worth], score,
                       np.where(again[worth], tokens.blank_trace[parent], trace[parent]))
        stays = stays[stays.best() > least]
        merged, source = _merge(stays, goes)
        kept = merged.best() > least
        if np.count_nonzero(kept) > self.maximum_tokens:
            kept = np.argpartition(-merged.best(), self.maximum_tokens)[:self.maximum_tokens]
        merged, source = merged[kept], source[kept]
        return merged, source >= len(stays.place)

    def _end_words(self, tokens, entered, traces):
        """Adds the tokens that have just completed a word: where the next one may begin, with all that the language
        model says of the word in place of what was looked ahead."""
        tree, size = self.tree, len(self.tree)
        node = tokens.place % size
        least = tokens.best().max() - self.beam
        places, scores, following = [], [], []
        for position in np.flatnonzero(tree.is_end[node] & entered).tolist():
            before, here = int(tokens.place[position]) // size, int(node[position])
            base = float(tokens.in_unit[position] - tree.look_ahead[here])
            for pronunciation in tree.ends[here]:
                gain, after = self._word(before, pronunciation)
                if base + gain > least:
                    places.append(after * size + int(tree.root_after(tree.unit[here])))
                    scores.append(base + gain)
                    following.append(len(traces))
                    traces.append((int(tokens.unit_trace[position]), pronunciation))
        if not places:
            return tokens
        return _merge(tokens, _Tokens(np.array(places), np.array(scores), np.array(following)))[0]

    def _word(self, history, pronunciation):
        """What a word adds to the score after a history, the look-ahead to the next word included, and the history
        after it."""
        key = history, pronunciation
        if key not in self._following:
            gain, after = self.tree.look_ahead[0] + self.word_bonus, self._histories[history]
            if self.language_model is None:
                gain += self._uniform
            else:
                word = self.tree.words[pronunciation]
                gain += self.lm_weight * self.language_model.log10(word, after) * math.log(10)
                kept = self.language_model.order - 1
                after = (*after, word)[-kept:] if kept else ()
            self._following[key] = float(gain), self._number(after)
        return self._following[key]

    def _number(self, history):
        if history not in self._numbers:
            self._numbers[history] = len(self._histories)
            self._histories.append(history)
        return self._numbers[history]

    def _finish(self, tokens):
        """Trace and score of the best complete sentence."""
        size = len(self.tree)
        ended = tokens[self.tree.is_root(tokens.place % size)]
        if not len(ended.place):
            return 0, -math.inf
        score = ended.best() - self.tree.look_ahead[0]
        if self.language_model is not None:
            ends = [self.language_model.log10(SENTENCE_END, self._histories[history])
                    for history in (ended.place // size).tolist()]
            score = score + self.lm_weight * math.log(10) * np.array(ends)
        best = int(score.argmax())
        in_unit = ended.in_unit[best] >= ended.in_blank[best]
        return int((ended.unit_trace if in_unit else ended.blank_trace)[best]), float(score[best])

    def _hypothesis(self, log_probs, traces, trace, score):
        spoken = []
        while trace > 0:
            trace, pronunciation = traces[trace]
            spoken.append(pronunciation)
        spoken.reverse()
        units = [unit for pronunciation in spoken for unit in self.tree.pronunciations[pronunciation]]
        spans, _ = align(log_probs, units)
        peaks = unit_peaks(log_probs, units, spans)
        words, first = [], 0
        for pronunciation in spoken:
            sounds = slice(first, first + len(self.tree.pronunciations[pronunciation]))
            first = sounds.stop
            words.append(make_word(self.tree.words[pronunciation], spans[sounds], peaks[sounds],
                                   self._spec["frame_seconds"]))
        return Hypothesis(" ".join(word.text for word in words), words, units, text_confidence(words, log_probs), score)


@dataclass
class _Tokens:
    """Sentences under way, each at a place of its own: history * nodes of the tree + node.

    Every place holds two: one that is in the node's unit and one in a blank after it; -inf where there is none.
    """

    place: np.ndarray
    in_unit: np.ndarray
    unit_trace: np.ndarray
    in_blank: np.ndarray | None = None
    blank_trace: np.ndarray | None = None

    def __post_init__(self):
        if self.in_blank is None:
            self.in_blank = np.full(len(self.place), -np.inf)
            self.blank_trace = np.zeros(len(self.place), int)

    @classmethod
    def at(cls, place: int, score: float):
        """A sentence without a word."""
        return cls(np.array([place]), np.array([-np.inf]), np.array([0]), np.array([score]), np.array([0]))

    def best(self):
        return np.maximum(self.in_unit, self.in_blank)

    def __getitem__(self, chosen):
        return _Tokens(self.place[chosen], self.in_unit[chosen], self.unit_trace[chosen], self.in_blank[chosen],
                       self.blank_trace[chosen])


def _merge(first, second):
    """The tokens of both, the better of those at one place; and for each the position, among those of `first` and then
    those of `second`, that its score in the unit came from."""
    place = np.concatenate([first.place, second.place])
    in_unit = np.concatenate([first.in_unit, second.in_unit])
    order = np.lexsort((-in_unit, place))
    leads = np.append(True, np.diff(place[order]) != 0)
    source = order[leads]
    merged = _Tokens(place[source], in_unit[source], np.concatenate([first.unit_trace, second.unit_trace])[source])
    # Whatever has just gone on is in its unit: only the first can be in a blank.
    at = np.searchsorted(merged.place, first.place)
    merged.in_blank[at], merged.blank_trace[at] = first.in_blank, first.blank_trace
    return merged, source
