"""Labels with times behind an augmentation that adds silence to a recording, or moves it."""

import numpy as np

TIMED = (None, 2)
"""`target_shape` of heads whose labels are classes with times, see `speechzoo.heads.frame_labels`."""
ADDED_PAIRS = 2
"""`ADDED_PAIRS` is the number of pairs by which `retime` can make a label longer."""
NOTHING = 1  # number of the first class, which is that of silence


def retime(pairs: np.ndarray, seconds: float, speed: float, silence: float, shift: float) -> np.ndarray:
    """The label of a recording after speed, silence and shift of an `Augmenter`.

    A speed alone changes nothing, because times are stretched to what is heard. Silence behind the recording, and what
    a shift leaves empty, get the first class.

    Args:
        pairs: int32 (pairs, 2): class from 1, and where it ends; the last end is that of the recording.
        seconds: Duration of the recording.
        speed: Playing speed.
        silence: Seconds of silence that follow at this speed.
        shift: Seconds by which all of it is moved later, or earlier when negative; its length stays.

    Returns:
        int32 (up to pairs + 2, 2).
    """
    if not len(pairs):
        return pairs
    classes, ends = pairs.T
    second = ends[-1] * speed / seconds  # of what is heard, in the label's own time
    whole = ends[-1] + silence * second
    moved = np.clip(ends + shift * second, 0, whole)
    if shift > 0:
        classes, moved = np.append(NOTHING, classes), np.append(min(shift * second, whole), moved)
    if moved[-1] < whole:
        classes, moved = np.append(classes, NOTHING), np.append(moved, whole)
    return np.stack([classes, moved.round()], axis=1).astype(np.int32)
