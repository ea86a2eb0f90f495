"""Whether confidences mean what they say."""

import numpy as np


def expected_calibration_error(confidences, correct, num_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, over bins of equal width (Guo et al. 2017, equation 3).

    Args:
        confidences: (examples,), 0 to 1: probability of the answer given.
        correct: bool (examples,), whether it was right.
        num_bins: Bins, each open to the left and closed to the right.

    Returns:
        0 (confidences can be believed) to 1; 0 when there are no examples.
    """
    confidences, correct = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if confidences.shape != correct.shape:
        raise ValueError(f"{len(confidences)} confidences but {len(correct)} outcomes")
    if not len(confidences):
        return 0.0
    bins = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = (np.bincount(bins, confidences, num_bins) - np.bincount(bins, correct, num_bins)) / len(confidences)
    return float(np.abs(gaps).sum())
