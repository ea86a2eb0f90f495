"""Decoding under a grammar: which of its sentences was said, or that none was."""

import numpy as np

from speechzoo.decoding.commands.compiled_grammar import CompiledGrammar
from speechzoo.decoding.commands.parse import Parse
from speechzoo.decoding.commands.token_passing import TokenPassing
from speechzoo.decoding.ctc.paths import frame_log_probs, log_softmax, make_word, unit_peaks, unit_spans
from speechzoo.text.units import BLANK_INDEX

DEFAULT_BEAM = 40.0
WORST_SCORE = -100.0
"""`WORST_SCORE` is the score where nothing matches, and the least there is."""
_LEAST_HEARD = 0.2  # units that the network is sure of, over those of the sentence
_FREE_UNITS = 2  # so many units less divide the score of a sentence: a short one must match better
_LEAST_PRIOR = 1e-4  # of units that the recordings don't hold
_WORD_LENIENCY = 3.0  # a word may be this much worse than a sentence
_NOT_WORTH_COUNTING = 20.0  # nats
_SHORTEST_WORD = 3  # units; a missing "a" must not count as a word that was never said


def grammar_decode(logits: np.ndarray, grammar: CompiledGrammar, beam: float = DEFAULT_BEAM) -> Parse:
    """Finds the best sentence of a grammar, and judges whether it was said at all.

    Before anything else `grammar.unit_cost` is subtracted from the log-probabilities, and they are normalised again:
    CTC networks favour the blank, and the less they have learnt the more they do, so that without a cost for it the
    shortest sentence wins. Dividing by priors is its general form (Sak et al. 2015, "Learning acoustic frame labeling
    for speech recognition with recurrent neural networks", section 2.3); see `prior_cost`.

    Whether the sentence was said is judged against free decoding, which may write anything (a filler model): the score
    is the log-likelihood ratio of the sentence's best path and the most probable path without a grammar, divided by the
    units of the longer of the two less two, for half of "go on" is in "no". So it is about ln P(wrong unit) times the
    share of units that are wrong, however long the recording and its pauses are. A single word of at least three units
    counts too, with a third of its own such score, so that one word that was never said spoils a long sentence. A parse
    is accepted if its score reaches the grammar's threshold, and the network, before anything is subtracted, writes at
    least a fifth as many units as the sentence has: a sentence read into noise is none.

    Args:
        logits: (frames, units + 1) of one utterance; index 0 is the blank.
        grammar: The grammar, compiled for the head that gave the logits.
        beam: Tokens worse than a frame's best by more than this are dropped, nats.

    Returns:
        The parse. Its confidence is 2 ** (-score / threshold), 0.5 for what is just accepted, times the share of the
        intent's best path among those of all intents; 0 where the network writes too little. A slot's is the mean over
        the value's words of the geometric mean of their units' highest probabilities. Of sentences that match equally
        well it is always the same one; of intents with the same sentence it is the one that stands first in the
        grammar.

    Raises:
        ValueError: Logits of another shape, or not finite.

    Example:
        >>> from speechzoo.decoding.commands.compile import compile_grammar
        >>> from speechzoo.grammar.nodes import Choice, Grammar, Words
        >>> spec = {"units": list(" gopst"), "kind": "characters", "frame_seconds": 0.04}
        >>> grammar = Grammar("moves", {"go": Words("go"), "stop": Choice((Words("stop"), Words("stop stop")))})
        >>> said = [5, 6, 3, 0, 4]  # s t o blank p
        >>> grammar_decode(9 * np.eye(7)[said], compile_grammar(grammar, spec)).intent
        'stop'
    """
    raw = frame_log_probs(logits, len(grammar.units))
    log_probs = log_softmax(raw - grammar.unit_cost)
    passing = TokenPassing(grammar, log_probs, beam)
    end = int(passing.scores.argmax())
    if not len(log_probs) or not np.isfinite(passing.scores[end]):
        return Parse(score=WORST_SCORE)
    arcs, spans = passing.path(end)
    units = grammar.node_unit[grammar.arc_target[arcs]]
    path = np.full(len(log_probs), BLANK_INDEX)
    for unit, (first, last) in zip(units, spans):
        path[first:last] = unit
    heard = len(unit_spans(log_probs.argmax(axis=1)))
    ratio = log_probs[np.arange(len(path)), path] - log_probs.max(axis=1)

    parse = Parse(score=float(ratio.sum()) / max(len(units) - _FREE_UNITS, heard - _FREE_UNITS, 1))
    peaks = unit_peaks(log_probs, units, spans)
    labels = [(position, label) for position, arc in enumerate(arcs) for label in grammar.arc_labels(arc)]
    labels += [(len(arcs), label) for label in grammar.final_labels(end)]
    for position, (kind, name, *details) in labels:
        if kind == "word":
            sounds = slice(position + 1 - details[0], position + 1)
            parse.words.append(make_word(name, spans[sounds], peaks[sounds], grammar.frame_seconds))
            word_score = float(ratio[spans[sounds.start, 0]:spans[position, 1]].sum()) / max(details[0], _SHORTEST_WORD)
            parse.score = min(parse.score, word_score / _WORD_LENIENCY)
        elif kind == "slot":
            value, count = details
            parse.slots[name] = value
            spoken = parse.words[len(parse.words) - count:]
            parse.slot_confidence[name] = float(np.mean([word.confidence for word in spoken])) if spoken else 1.0
        else:
            parse.intent = name
    parse.score = max(parse.score, WORST_SCORE)
    plausible = len(unit_spans(raw.argmax(axis=1))) >= _LEAST_HEARD * len(units)
    parse.accepted = plausible and parse.score >= grammar.threshold
    if plausible:
        parse.confidence = 2 ** (-parse.score / grammar.threshold) * _share(grammar, passing.scores, end)
    return parse


def _share(grammar, scores, end) -> float:
    """How probable the intent of an end is among all intents, by the best path of each."""
    best = {}
    for other in np.flatnonzero(scores > scores[end] - _NOT_WORTH_COUNTING):
        score = float(scores[other] - scores[end])
        meaning = tuple(label for label in grammar.final_labels(other) if label[0] == "intent")
        best[meaning] = max(score, best.get(meaning, -np.inf))
    return float(1 / np.exp(list(best.values())).sum())


def prior_cost(log_probs: list[np.ndarray]) -> np.ndarray:
    """The logarithm of each unit's mean probability, as a grammar's `unit_cost`.

    Args:
        log_probs: (frames, units + 1) of each of some hundred recordings, nats; any speech of the model's language.

    Returns:
        (units + 1,), nats.

    Raises:
        ValueError: No frames.
    """
    if not sum(map(len, log_probs)):
        raise ValueError("priors of units take recordings, and there is no frame in these")
    return np.log(np.maximum(np.exp(np.concatenate(log_probs)).mean(axis=0), _LEAST_PRIOR))
