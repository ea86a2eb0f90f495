"""CTC best-path decoding."""

import numpy as np

from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.paths import frame_log_probs, make_hypothesis, unit_spans


def greedy_decode(logits: np.ndarray, head_spec: dict) -> Hypothesis:
    """The most probable unit of every frame, repeats merged and blanks removed (Graves et al. 2006, section 3.2).

    Args:
        logits: (frames, units + 1) of one utterance; index 0 is the blank.
        head_spec: Spec of the `ctc` head, with `units`, `kind` and `frame_seconds`.

    Returns:
        The hypothesis with words and times.

    Raises:
        ValueError: Logits of another shape, or not finite.

    Example:
        >>> spec = {"type": "ctc", "units": ["a", "b"], "kind": "characters", "frame_seconds": 0.04}
        >>> greedy_decode(5 * np.eye(3)[[1, 1, 0, 1, 2]], spec).text
        'aab'
    """
    log_probs = frame_log_probs(logits, len(head_spec["units"]))
    units, spans = best_path(log_probs)
    score = float(log_probs.max(axis=1).sum()) if len(log_probs) else 0.0
    return make_hypothesis(log_probs, units.tolist(), spans, head_spec, score)


def best_path(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units of the best path and where they stand.

    Args:
        scores: (frames, units + 1), logits or log-probabilities; index 0 is the blank.

    Returns:
        Indices of the units, from 1, int (units,), and their spans, int (units, 2), as of `unit_spans`.
    """
    best = scores.argmax(axis=1)
    spans = unit_spans(best)
    return best[spans[:, 0]], spans
