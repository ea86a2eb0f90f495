"""Answers at every frame, such as whether somebody speaks."""

import numpy as np


def area_under_roc(positive_scores, negative_scores) -> float:
    """Probability that a positive scores higher than a negative, where ties count half.

    That is the area under the receiver operating characteristic (Fawcett 2006, section 7,
    https://doi.org/10.1016/j.patrec.2005.10.010), from the ranks of all scores.

    Args:
        positive_scores: (positives,).
        negative_scores: (negatives,).

    Raises:
        ValueError: No positives or no negatives.
    """
    positive, negative = np.asarray(positive_scores, np.float64), np.asarray(negative_scores, np.float64)
    if not len(positive) or not len(negative):
        raise ValueError(f"{len(positive)} positives and {len(negative)} negatives; need both kinds")
    negative = np.sort(negative)
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.sum() / (2 * len(positive) * len(negative)))


def frame_references(label, classes: list[str], num_frames: int) -> np.ndarray:
    """The class index of each frame, int64 (frames,): that of its middle, times stretched to the frames.

    Args:
        label: [class, end in seconds] pairs by rising end, or one class for the whole recording.
        classes: Names of the classes; the first is that of silence.
        num_frames: Frames of the recording.
    """
    if isinstance(label, str):
        return np.full(num_frames, classes.index(label))
    if not label:
        return np.zeros(num_frames, np.int64)
    ends = np.array([end for _, end in label], np.float64)
    middle = (np.arange(num_frames) + 0.5) / max(num_frames, 1) * ends[-1]
    pair = np.minimum(np.searchsorted(ends, middle, "right"), len(ends) - 1)
    return np.array([classes.index(name) for name, _ in label])[pair]


def frame_counts(references: list[np.ndarray], probabilities: list[np.ndarray]) -> np.ndarray:
    """Counts of frames, int64 (utterances, 5).

    Args:
        references: 0 or 1 at each frame of each utterance.
        probabilities: Probability of 1 at each.

    Returns:
        Of each utterance: frames that are 1 and answered 1, that are 1, that are answered 1, that are answered right,
        and all.
    """
    rows = []
    for reference, probability in zip(references, probabilities, strict=True):
        reference, answer = np.asarray(reference) == 1, np.asarray(probability) > 0.5
        rows.append([(reference & answer).sum(), reference.sum(), answer.sum(), (reference == answer).sum(),
                     len(reference)])
    return np.array(rows, np.int64).reshape(-1, 5)


def frame_accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of frames answered right, of sums (..., 5) of `frame_counts`."""
    counts = np.asarray(counts, np.float64)
    return counts[..., 3] / np.maximum(counts[..., 4], 1)


def frame_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of the second class, of sums (..., 5) of `frame_counts`; 1 where it is neither there nor answered."""
    counts = np.asarray(counts, np.float64)
    total = counts[..., 1] + counts[..., 2]
    return np.where(total > 0, 2 * counts[..., 0] / np.maximum(total, 1), 1.0)
