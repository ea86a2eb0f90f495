"""When tokens were said: dynamic time warping of where a decoder looked."""

import numpy as np

SMOOTHING_SECONDS = 0.14
"""`SMOOTHING_SECONDS` are under a median filter: 7 frames of 20 ms, as in openai-whisper."""
RETURN_SECONDS = 0.5
"""Attention that is `RETURN_SECONDS` behind where it was returns to what it has read; along a text it wavers by 0.2."""


def token_starts(attention: np.ndarray, frame_seconds: float) -> np.ndarray:
    """When each token begins.

    As in `whisper/timing.py` of openai-whisper 20250625: the weights of each attention head are normalised over tokens,
    so that frames that every token looks at don't count, smoothed along time and averaged over heads; the path through
    them that is best in sum gives every token its frames.

    Args:
        attention: float (tokens, attention heads, frames), where the decoder looked for each token.
        frame_seconds: Of a frame.

    Returns:
        Seconds, float64 (tokens,), never falling; the first is 0.
    """
    weights = np.asarray(attention, np.float64)
    deviation = weights.std(axis=0, keepdims=True)
    weights = (weights - weights.mean(axis=0, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
    width = max(1, round(SMOOTHING_SECONDS / frame_seconds / 2 - 0.5) * 2 + 1)
    path = warping_path(-median_filter(weights, width).mean(axis=1))
    first = np.searchsorted(path[:, 0], np.arange(len(weights)))
    return path[first, 1] * frame_seconds


def median_filter(values: np.ndarray, width: int) -> np.ndarray:
    """The median of `width` neighbours along the last axis, mirrored at its ends; values that are too few stay.

    Args:
        values: (..., frames).
        width: An odd number.
    """
    around = width // 2
    if values.shape[-1] <= around:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(around, around)], mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1), axis=-1)


def warping_path(cost: np.ndarray) -> np.ndarray:
    """The path of least cost from the first cell to the last, by steps of one row, one column or both.

    Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for spoken word recognition", without slope
    constraints and weights.

    Args:
        cost: (rows, columns), at least one of each.

    Returns:
        int (cells, 2), row and column of each cell.
    """
    rows, columns = cost.shape
    # Cells of one anti-diagonal don't need each other. Row r of diagonal d is column d - r, at index r + 1 of the sums.
    skewed = np.full((rows + columns - 1, rows), np.inf)
    row, column = np.indices(cost.shape)
    skewed[row + column, row] = cost
    came = np.zeros(skewed.shape, np.int8)  # 0 both, 1 from the row above, 2 from the column before
    before, last = np.full(rows + 1, np.inf), np.full(rows + 1, np.inf)
    before[0] = 0.0  # in front of the first cell
    for diagonal, costs in enumerate(skewed):
        ways = np.stack([before[:-1], last[:-1], last[1:]])
        came[diagonal] = ways.argmin(axis=0)
        before, last = last, np.append(np.inf, costs + ways.min(axis=0))
    at = np.array([rows - 1, columns - 1])
    path = [at]
    while at.any():
        at = at - ((1, 1), (1, 0), (0, 1))[came[at.sum(), at[0]]]
        path.append(at)
    return np.array(path[::-1])


def attention_centres(attention: np.ndarray, frame_seconds: float) -> np.ndarray:
    """Where a decoder looked for each token, as one number: half of the weight is before it.

    Args:
        attention: float (tokens, attention heads, frames).
        frame_seconds: Of a frame.

    Returns:
        Seconds, float64 (tokens,).
    """
    weights = np.asarray(attention, np.float64).mean(axis=1)
    shares = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    return (shares < 0.5).sum(axis=1) * frame_seconds


def tokens_before_return(centres: np.ndarray) -> int:
    """How many tokens a decoder has written when it goes back to what it has already read; all where it doesn't.

    Speech is read from its beginning to its end. A Whisper decoder that hears no silence behind a short clip doesn't
    end there but reads it over and over; the text that follows is a worse copy.

    Args:
        centres: Seconds (tokens,), where the decoder looked for each token of text (`attention_centres`).

    Returns:
        Where two tokens in a row look `RETURN_SECONDS` before the one that looked furthest, those before them that are
        less than half of that behind it.
    """
    furthest = np.maximum.accumulate(centres)
    behind = furthest - centres
    returned = np.flatnonzero((behind[:-1] > RETURN_SECONDS) & (behind[1:] > RETURN_SECONDS))
    if not len(returned):
        return len(centres)
    return int(np.flatnonzero(behind[:returned[0]] <= RETURN_SECONDS / 2)[-1]) + 1
