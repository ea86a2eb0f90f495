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


def find_temperature(logits, targets) -> float:
    """The temperature that makes softmax probabilities right on average (Guo et al. 2017, section 4.2).

    It minimises the cross entropy of logits / temperature. A target has probability (n + 1) / (n + 2), as after
    Laplace's rule in Platt 1999 (section 2.2): where all of n answers are right, they are only that sure.

    Args:
        logits: (examples, classes).
        targets: int (examples,), the right class of each.

    Returns:
        0.1 to 10; above 1 where the logits are too sure.
    """
    logits = np.asarray(logits, np.float64)
    right = logits[np.arange(len(logits)), targets]
    others = (logits.sum(axis=1) - right) / (logits.shape[1] - 1)
    wrong = 1 / (len(logits) + 2)
    wanted = ((1 - wrong) * right + wrong * others).mean()
    # The slope over the inverse temperature rises: the logit expected under the softmax less the one wanted.
    low, high = np.log(0.1), np.log(10.0)
    for _ in range(50):
        middle = (low + high) / 2
        scaled = np.exp(middle) * logits
        probabilities = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        low, high = (low, middle) if (probabilities * logits).sum(axis=1).mean() > wanted else (middle, high)
    return float(np.exp(-low))


def find_threshold(confidences, correct, share: float = 2 / 3) -> float:
    """The confidence below which answers are right less often than that.

    The share that is right is taken to rise with the confidence, and fitted by isotonic regression (Zadrozny and Elkan
    2002, section 3).

    Args:
        confidences: (examples,), 0 to 1: probability of the answer given.
        correct: bool (examples,), whether it was right.
        share: Of answers, how many must be right for them to be given.

    Returns:
        The lowest confidence at which the fit reaches `share`; 0 where it does everywhere, 1 where it never does.
    """
    order = np.argsort(confidences, kind="stable")
    confidences, correct = np.asarray(confidences, np.float64)[order], np.asarray(correct, np.float64)[order]
    blocks = []  # [examples, examples that are right], whose shares rise
    for right in correct:
        blocks.append([1, right])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            size, more = blocks.pop()
            blocks[-1] = [blocks[-1][0] + size, blocks[-1][1] + more]
    below = sum(size for size, right in blocks if right < share * size)
    if below == 0:
        return 0.0
    return float(confidences[below]) if below < len(confidences) else 1.0
