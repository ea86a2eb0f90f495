"""CTC forced alignment: the frames of each unit of a known sequence."""

import numpy as np

from speechzoo.text.units import BLANK_INDEX


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
    states, may_skip = _trellis(len(log_probs), units)
    if not len(log_probs):
        return np.zeros((0, 2), np.int64), 0.0
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


def occupancies(log_probs: np.ndarray, units: list[int]) -> tuple[np.ndarray, float]:
    """How probable each unit is at each frame of an utterance that is known to spell `units`, over all paths.

    The gradient of the CTC loss by the logits is the network's probabilities less these (Graves et al. 2006, section
    4.1 and equation 16).

    Args:
        log_probs: (frames, units + 1), nats; index 0 is the blank.
        units: Unit indices, from 1.

    Returns:
        float32 (frames, units + 1), rows that sum to one; and the log-probability of `units`.

    Raises:
        ValueError: There are fewer frames than the units need: one each, and a blank between equal neighbours.
    """
    states, may_skip = _trellis(len(log_probs), units)
    emission = log_probs[:, states]
    # Backwards the same steps lead from the end to the beginning; a state may be skipped into from behind where it may
    # be skipped to.
    forward = _path_sums(emission, may_skip)
    skipped_from = np.append(may_skip, [False, False])[2:]
    backward = _path_sums(emission[::-1, ::-1], skipped_from[::-1])[::-1, ::-1]
    score = float(np.logaddexp.reduce(forward[-1, -2:]))
    through = np.exp(forward + backward - emission - score)
    result = np.zeros(log_probs.shape, np.float32)
    np.add.at(result, (slice(None), states), through)
    return result, score


def _path_sums(emission, may_skip) -> np.ndarray:
    """(frames, states): the log-probability of all paths from the beginning that are in a state at a frame."""
    sums = np.full(emission.shape, -np.inf)
    sums[0, :2] = emission[0, :2]
    for frame in range(1, len(emission)):
        before = sums[frame - 1]
        stepped = np.append(-np.inf, before[:-1])
        skipped = np.where(may_skip, np.append([-np.inf, -np.inf], before[:-2])[:len(before)], -np.inf)
        sums[frame] = np.logaddexp(np.logaddexp(before, stepped), skipped) + emission[frame]
    return sums


def check_room(frames: int, units: list[int]):
    """Makes sure that a recording is long enough for what it is said to spell.

    Raises:
        ValueError: There are fewer frames than the units need: one each, and a blank between equal neighbours.
    """
    units = np.asarray(units, np.int64).reshape(-1)
    needed = len(units) + int((units[1:] == units[:-1]).sum())
    if frames < needed:
        raise ValueError(f"{frames} frames can't hold {len(units)} units, which need {needed}")


def _trellis(frames: int, units) -> tuple[np.ndarray, np.ndarray]:
    """The unit of each state, blanks between units and around them; and which may be entered from two states back."""
    check_room(frames, units)
    units = np.asarray(units, np.int64).reshape(-1)
    states = np.full(2 * len(units) + 1, BLANK_INDEX)
    states[1::2] = units
    # From two states back, over a blank, only to a unit that differs from the one there.
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = units[1:] != units[:-1]
    return states, may_skip
