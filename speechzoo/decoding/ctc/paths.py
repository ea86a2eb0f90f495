"""What every CTC decoder shares: log-probabilities, and words from units that have times.

The units of a head are numbered from 1; index 0 is the blank. In a padded frame the blank has probability one, so no
decoder needs to know lengths.
"""

import numpy as np

from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.word import Word
from speechzoo.text.units import BLANK_INDEX, units_of


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, nats.

    Raises:
        ValueError: A logit is NaN or infinite.
    """
    logits = np.asarray(logits, np.float64)
    if not np.isfinite(logits).all():
        raise ValueError("the model gave NaN or infinite outputs; check its weights and that the audio is finite")
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def frame_log_probs(logits: np.ndarray, num_units: int) -> np.ndarray:
    """Checks one utterance's CTC logits and returns log-probabilities.

    Args:
        logits: (frames, units + 1).
        num_units: Units of the head, without the blank.

    Raises:
        ValueError: Wrong shape, or values that aren't finite.
    """
    logits = np.asarray(logits)
    if logits.ndim != 2 or logits.shape[1] != num_units + 1:
        raise ValueError(f"CTC logits have shape {logits.shape}; expected (frames, {num_units + 1}) "
                         f"for {num_units} units and the blank")
    return log_softmax(logits)


def unit_spans(path: np.ndarray) -> np.ndarray:
    """Where the units of a path stand, repeats merged and blanks left out: int (units, 2), the first frame of each and
    the one after its last.

    Args:
        path: int (frames,), what each frame is in; 0 is the blank.
    """
    if not len(path):
        return np.zeros((0, 2), int)
    edges = np.flatnonzero(np.diff(path)) + 1
    spans = np.stack([np.append(0, edges), np.append(edges, len(path))], axis=1)
    return spans[path[spans[:, 0]] != BLANK_INDEX]


def unit_peaks(log_probs: np.ndarray, units, spans: np.ndarray) -> np.ndarray:
    """The highest log-probability of each unit within its frames: (units,), nats."""
    return np.array([log_probs[first:last, unit].max() for unit, (first, last) in zip(units, spans)])


def make_word(text: str, spans: np.ndarray, peaks: np.ndarray, frame_seconds: float) -> Word:
    """A word from the spans and peaks of its units. Its confidence is the geometric mean of theirs, so that long words
    aren't less sure for being long."""
    return Word(text, round(float(spans[0][0] * frame_seconds), 3), round(float(spans[-1][1] * frame_seconds), 3),
                float(np.exp(np.mean(peaks))))


def text_confidence(words: list[Word], log_probs: np.ndarray) -> float:
    """0 to 1: the mean of the words; for an empty text, how sure the blank is where it is least sure."""
    if words:
        return float(np.mean([word.confidence for word in words]))
    return float(np.exp(log_probs[:, BLANK_INDEX].min())) if len(log_probs) else 0.0


def make_hypothesis(log_probs: np.ndarray, units: list[int], spans: np.ndarray, head_spec: dict,
                    score: float) -> Hypothesis:
    """Gathers units that have frames into words with times and confidences.

    Args:
        log_probs: (frames, units + 1), nats.
        units: Unit indices, from 1.
        spans: int (len(units), 2), first frame and the one after the last of each unit.
        head_spec: Spec of a `ctc` head.
        score: Natural-log score of the sequence.

    Returns:
        The hypothesis. A unit's confidence is its highest probability within its frames.
    """
    vocabulary = units_of(head_spec)
    names = [vocabulary.names[index - 1] for index in units]
    texts = [vocabulary.text(name) for name in names]
    peaks = unit_peaks(log_probs, units, spans)
    groups, current = [], []  # positions of each word's units
    for position, name in enumerate(names):
        if vocabulary.starts_word(name):
            groups.append(current)
            current = []
        if texts[position]:
            current.append(position)
    groups.append(current)
    words = [make_word("".join(texts[position] for position in group), spans[group], peaks[group],
                       head_spec["frame_seconds"]) for group in filter(None, groups)]
    return Hypothesis(" ".join(word.text for word in words), words, [int(unit) for unit in units],
                      text_confidence(words, log_probs), score)
