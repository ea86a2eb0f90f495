"""Decoding under a grammar: which of its sentences was said, or that none was."""

import numpy as np

from speechzoo.decoding.compiled_grammar import CompiledGrammar
from speechzoo.decoding.ctc import BLANK_INDEX, frame_log_probs
from speechzoo.decoding.parse import Parse
from speechzoo.decoding.token_passing import TokenPassing
from speechzoo.decoding.word import Word

DEFAULT_BEAM = 60.0
WORST_SCORE = -100.0
"""Score where nothing matches; scores end here."""
_MOST_UNITS_A_SECOND = 30.0  # letters; the fastest speech has some 25
_LEAST_HEARD = 0.4  # units that free decoding hears, over those of the sentence


def grammar_decode(logits: np.ndarray, grammar: CompiledGrammar, beam: float = DEFAULT_BEAM) -> Parse:
    """Finds the best sentence of a grammar, and judges whether it was said at all.

    The judgement compares the sentence with free decoding, which may write anything (a filler model): the score is the
    log-likelihood ratio of the sentence's best path and the most probable path without a grammar, divided by the units
    of the longer of the two. So it is about ln P(wrong unit) times the share of units that are wrong, however long the
    recording and its pauses are. A parse is accepted if its score reaches the grammar's threshold and it is plausible:
    free decoding hears something, not much less than the sentence, and nobody would have to speak faster than people can.

    Args:
        logits: (frames, units + 1) of one utterance; index 0 is the blank.
        grammar: The grammar, compiled for the head that gave the logits.
        beam: Tokens worse than a frame's best by more than this are dropped, nats.

    Returns:
        The parse. Its confidence is 2 ** (-score / threshold), 0.5 for what is just accepted, times the share of the
        intent's best path among those of all intents; 0 for what isn't plausible. A slot's is the mean over the value's
        words of the geometric mean of their units' highest probabilities. Of sentences that match equally well it is
        always the same one; of intents with the same sentence it is the one that stands first in the grammar.

    Raises:
        ValueError: Logits of another shape, or not finite.

    Example:
        >>> from speechzoo.decoding.acceptor import compile_grammar
        >>> from speechzoo.grammar.nodes import Choice, Grammar, Words
        >>> spec = {"units": list(" gopst"), "kind": "characters", "frame_seconds": 0.04}
        >>> grammar = Grammar("moves", {"go": Words("go"), "stop": Choice((Words("stop"), Words("stop stop")))})
        >>> said = [5, 6, 3, 0, 4]  # s t o blank p
        >>> grammar_decode(9 * np.eye(7)[said], compile_grammar(grammar, spec)).intent
        'stop'
    """
    log_probs = frame_log_probs(logits, len(grammar.units))
    passing = TokenPassing(grammar, log_probs, beam)
    end = int(passing.scores.argmax())
    if not len(log_probs) or not np.isfinite(passing.scores[end]):
        return Parse(score=WORST_SCORE)
    arcs, spans = passing.path(end)
    units = grammar.node_unit[grammar.arc_target[arcs]]
    parse = _read(grammar, arcs, end, log_probs, units, spans)

    path = np.full(len(log_probs), BLANK_INDEX)
    for unit, (first, last) in zip(units, spans):
        path[first:last] = unit
    free = log_probs.argmax(axis=1)
    heard = int(np.count_nonzero((free != BLANK_INDEX) & np.concatenate([[True], free[1:] != free[:-1]])))
    difference = log_probs[np.arange(len(path)), path] - log_probs.max(axis=1)
    parse.score = max(float(difference.sum()) / max(len(units), heard), WORST_SCORE)
    seconds = float(spans[-1, 1] - spans[0, 0]) * grammar.frame_seconds
    plausible = heard >= _LEAST_HEARD * len(units) and len(units) <= _MOST_UNITS_A_SECOND * seconds
    parse.accepted = plausible and parse.score >= grammar.threshold
    if plausible:
        parse.confidence = 2 ** (-parse.score / grammar.threshold) * _share(grammar, passing.scores, end)
    return parse


def _read(grammar, arcs, end, log_probs, units, spans) -> Parse:
    """What the labels along a path say."""
    parse = Parse()
    peaks = [log_probs[first:last, unit].max() for unit, (first, last) in zip(units, spans)]
    labels = [(position, label) for position, arc in enumerate(arcs) for label in grammar.arc_labels(arc)]
    labels += [(len(arcs), label) for label in grammar.final_labels(end)]
    for position, (kind, name, *details) in labels:
        if kind == "word":
            first = position + 1 - details[0]
            parse.words.append(Word(
                text=name,
                start=round(float(spans[first, 0] * grammar.frame_seconds), 3),
                end=round(float(spans[position, 1] * grammar.frame_seconds), 3),
                confidence=float(np.exp(np.mean(peaks[first:position + 1]))),
            ))
        elif kind == "slot":
            value, count = details
            parse.slots[name] = value
            spoken = parse.words[len(parse.words) - count:]
            parse.slot_confidence[name] = float(np.mean([word.confidence for word in spoken])) if spoken else 1.0
        else:
            parse.intent = name
    return parse


def _share(grammar, scores, end) -> float:
    """How probable the intent of an end is among all intents, by the best path of each."""
    best = {}
    for other, score in enumerate(scores - scores[end]):
        meaning = tuple(label for label in grammar.final_labels(other) if label[0] == "intent")
        best[meaning] = max(score, best.get(meaning, -np.inf))
    return float(1 / np.exp(list(best.values())).sum())
