"""CTC forced alignment: the frames of each unit of a known sequence."""

import numpy as np

from speechzoo.decoding.ctc import BLANK_INDEX, frame_log_probs, make_hypothesis
from speechzoo.decoding.hypothesis import Hypothesis


def align(log_probs: np.ndarray, units: list[int]) -> tuple[np.ndarray, float]:
    """The most probable path that spells `units` (Viterbi on the trellis of Graves et al. 2006, section 4.1).

    Args:
        log_probs: (frames, units + 1), nats; index 0 is the blank.
        units: Unit indices, from 1.

    Returns:
        int (len(units), 2): first frame of each unit and the one after its last; and the path's log-probability.

    Raises:
        ValueError: There are fewer frames than the units need: one each, and a blank between equal neighbours.
    """
    units = np.asarray(units, np.int64).reshape(-1)
    needed = len(units) + int((units[1:] == units[:-1]).sum())
    if len(log_probs) < needed:
        raise ValueError(f"{len(log_probs)} frames can't hold {len(units)} units, which need {needed}")
    if not len(log_probs):
        return np.zeros((0, 2), np.int64), 0.0
    states = np.full(2 * len(units) + 1, BLANK_INDEX)
    states[1::2] = units
    # From two states back, over a blank, only to a unit that differs from the one there.
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = units[1:] != units[:-1]
    emission = log_probs[:, states]
    scores = np.full(len(states), -np.inf)
    scores[:2] = emission[0, :2]
    steps = np.zeros(emission.shape, np.int8)  # how many states back the best path came from
    for frame in range(1, len(emission)):
        candidates = np.full((3, len(states)), -np.inf)
        candidates[0] = scores
        candidates[1, 1:] = scores[:-1]
        candidates[2, 2:] = np.where(may_skip[2:], scores[:-2], -np.inf)
        steps[frame] = candidates.argmax(axis=0)
        scores = candidates.max(axis=0) + emission[frame]
    state = len(states) - 1
    if len(units) and scores[-2] >= scores[-1]:
        state -= 1
    score = float(scores[state])
    spans = np.zeros((len(units), 2), np.int64)
    for frame in range(len(emission) - 1, -1, -1):
        if state % 2:
            position = state // 2
            spans[position, 0] = frame
            spans[position, 1] = max(spans[position, 1], frame + 1)
        state -= steps[frame, state]
    return spans, score


def force_align(logits: np.ndarray, units: list[int], head_spec: dict) -> Hypothesis:
    """Words with times for what is known to have been said.

    Args:
        logits: (frames, units + 1) of one utterance.
        units: Unit indices of the text, from 1, as the head encodes it.
        head_spec: Spec of the `ctc` head.

    Returns:
        The hypothesis: its words have the times and confidences that the model gives them, its score is the
        log-probability of the best path.

    Raises:
        ValueError: The text doesn't fit into the frames, or the logits aren't usable.
    """
    log_probs = frame_log_probs(logits, len(head_spec["units"]))
    spans, score = align(log_probs, units)
    return make_hypothesis(log_probs, list(units), spans, head_spec, score)
