"""What every CTC decoder shares: log-probabilities, and words from units that have times.

The units of a head are numbered from 1; index 0 is the blank. In a padded frame the blank has probability one, so no
decoder needs to know lengths.
"""

import numpy as np

from speechzoo.decoding.hypothesis import Hypothesis
from speechzoo.decoding.word import Word

BLANK_INDEX = 0
WORD_START = "\u2581"  # marks the piece that begins a word, as SentencePiece writes it


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


def join_units(units: list[str], kind: str) -> str:
    """Text of a unit sequence.

    Args:
        units: The units themselves, such as `["h", "i"]`, `["\u2581hi"]` or `["HH", "AY"]`.
        kind: "characters", "pieces" or "phones".
    """
    if kind == "phones":
        return " ".join(units)
    text = "".join(units)
    if kind == "pieces":
        text = text.replace(WORD_START, " ")
    return " ".join(text.split())


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
        The hypothesis. A unit's confidence is its highest probability within its frames; a word's is the geometric
        mean of its units', so that long words aren't less sure for being long.
    """
    seconds, kind = head_spec["frame_seconds"], head_spec["kind"]
    names = [head_spec["units"][index - 1] for index in units]
    peaks = [log_probs[first:last, index].max() for index, (first, last) in zip(units, spans)]
    groups, current = [], []  # positions of each word's units
    for position, name in enumerate(names):
        starts_word = kind == "phones" or kind == "pieces" and name.startswith(WORD_START)
        if starts_word or name == " ":
            groups.append(current)
            current = []
        if name not in (" ", WORD_START):
            current.append(position)
    groups.append(current)
    words = []
    for group in filter(None, groups):
        words.append(Word(
            text="".join(names[position] for position in group).lstrip(WORD_START),
            start=round(float(spans[group[0]][0] * seconds), 3),
            end=round(float(spans[group[-1]][1] * seconds), 3),
            confidence=float(np.exp(np.mean([peaks[position] for position in group]))),
        ))
    if words:
        confidence = float(np.mean([word.confidence for word in words]))
    else:
        confidence = float(np.exp(log_probs[:, BLANK_INDEX].min())) if len(log_probs) else 0.0
    return Hypothesis(" ".join(word.text for word in words), words, [int(unit) for unit in units], confidence, score)
