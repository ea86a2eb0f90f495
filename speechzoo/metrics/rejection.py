"""Where to draw the line between what a grammar says and everything else."""

import numpy as np

from speechzoo.metrics.verification import error_rates


def calibrate_threshold(inside, outside, false_accept_rate: float = 0.01) -> tuple[float, float, float]:
    """The lowest threshold that lets through no more of what lies outside than asked for.

    Args:
        inside: Scores of what should be accepted, such as those of `grammar_decode` for orders.
        outside: Scores of what should be rejected, such as those for other speech.
        false_accept_rate: Share of `outside` that may be accepted, 0 to 1.

    Returns:
        The threshold, of which a score is accepted that reaches it; the share of `outside` accepted; and the share of
        `inside` rejected.

    Raises:
        ValueError: No scores of one kind, or a rate that isn't between 0 and 1.

    Example:
        >>> calibrate_threshold([-0.2, -0.5, -3.0], [-1.0, -2.0, -4.0, -9.0], false_accept_rate=0.25)
        (-1.5, 0.25, 0.3333333333333333)
    """
    if not 0 <= false_accept_rate <= 1:
        raise ValueError(f"a false accept rate lies between 0 and 1, got {false_accept_rate}")
    miss, false_alarm = error_rates(inside, outside)
    scores = np.unique(np.concatenate([np.ravel(inside), np.ravel(outside)]))
    index = int(np.argmax(false_alarm <= false_accept_rate))  # everything below scores[index] is rejected
    if index == 0:
        threshold = scores[0]
    elif index == len(scores):
        threshold = np.nextafter(scores[-1], np.inf)
    else:
        threshold = (scores[index - 1] + scores[index]) / 2  # in the middle: neither side is exactly on the line
    return float(threshold), float(false_alarm[index]), float(miss[index])
