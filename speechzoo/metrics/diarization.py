"""How well somebody knows who speaks when."""

from collections.abc import Iterable

import numpy as np

STEP_SECONDS = 0.01
COLLAR_SECONDS = 0.25
"""`COLLAR_SECONDS` on both sides of each boundary of the reference are not scored, as NIST's md-eval does."""


def diarization_errors(reference: Iterable[tuple[float, float, str]], answer: Iterable[tuple[float, float, str]],
                       collar: float = COLLAR_SECONDS) -> dict[str, float]:
    """Seconds of speech that are scored, and of the three errors, for the best match of speakers.

    Args:
        reference: (start, end, speaker) of each turn, seconds; turns of several people may overlap.
        answer: The same, as answered; the names are others.
        collar: Seconds around each boundary of the reference that don't count.

    Returns:
        `speech`: of all speakers, scored; `missed`: nobody, or too few speakers, were found; `false_alarm`: too many;
        `confused`: somebody else. The diarisation error rate is the sum of the three over `speech`.

    Reference: NIST 2009, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", section 6.1.
    """
    reference, answer = list(reference), list(answer)
    end = max((end for _, end, _ in reference + answer), default=0.0)
    length = round(end / STEP_SECONDS)
    spoken, heard = _activity(reference, length), _activity(answer, length)
    scored = np.ones(length, bool)
    for begin, end, _ in reference:
        for edge in (begin, end):
            scored[max(round((edge - collar) / STEP_SECONDS), 0):max(round((edge + collar) / STEP_SECONDS), 0)] = False
    spoken, heard = spoken[:, scored], heard[:, scored]
    truth, found = spoken.sum(axis=0), heard.sum(axis=0)
    right = best_match(spoken.astype(np.int64) @ heard.T.astype(np.int64))
    both = np.minimum(truth, found).sum()
    return {"speech": float(truth.sum() * STEP_SECONDS),
            "missed": float(np.maximum(truth - found, 0).sum() * STEP_SECONDS),
            "false_alarm": float(np.maximum(found - truth, 0).sum() * STEP_SECONDS),
            "confused": float((both - right) * STEP_SECONDS)}


def best_match(together: np.ndarray) -> int:
    """The greatest sum of entries, no two of which are in one row or column.

    Args:
        together: int (rows, columns), 0 and more; the smaller side is at most 16.
    """
    together = np.asarray(together)
    if together.shape[0] < together.shape[1]:
        together = together.T
    if not together.size:
        return 0
    if together.shape[1] > 16:
        raise ValueError(f"{together.shape[1]} speakers on both sides; up to 16 can be matched")
    # Sum of the best match of the rows so far with each set of columns, a bit per column.
    best = {0: 0}
    for row in together:
        sums = dict(best)
        for taken, total in best.items():
            for column, more in enumerate(row):
                bit = 1 << column
                if more and not taken & bit and total + more > sums.get(taken | bit, -1):
                    sums[taken | bit] = total + int(more)
        best = sums
    return max(best.values())


def _activity(turns, length):
    """Whether each speaker speaks at each step, bool (speakers, steps)."""
    names = sorted({name for _, _, name in turns})
    active = np.zeros((len(names), length), bool)
    for begin, end, name in turns:
        active[names.index(name), round(begin / STEP_SECONDS):round(end / STEP_SECONDS)] = True
    return active
