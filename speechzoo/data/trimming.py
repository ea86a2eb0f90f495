"""Cutting silence off both ends of a recording."""

import numpy as np

_FRAME_SECONDS = 0.02
_MARGIN_SECONDS = 0.15
# What is this much weaker than the loudest frame is never speech, in however quiet a room.
_RANGE_DB = 40.0
# Speech stands out from steady noise by this much, but where the noise is loud or there are no pauses to measure it in,
# what is within 20 dB of the loudest frame may be speech and stays.
_ABOVE_NOISE_DB = 10.0
_BELOW_PEAK_DB = 20.0
# Recordings whose loudest frame is below this are silence altogether, and stay whole.
_SILENCE_DB = -60.0


def speech_bounds(audio: np.ndarray, sample_rate: int) -> tuple[int, int]:
    """Where the sound of a recording begins and ends, by the level of its frames.

    The threshold follows the recording: above its own noise floor (the tenth percentile of the frames' levels) and
    within 40 dB of its loudest frame. A margin of 0.15 s stays on either side, as weak consonants lie below any
    threshold.

    Args:
        audio: float32 (samples,).
        sample_rate: Hz.

    Returns:
        First sample and the one after the last; the whole recording when all of it is silent.
    """
    frame = int(_FRAME_SECONDS * sample_rate)
    count = len(audio) // frame
    if not count:
        return 0, len(audio)
    power = np.square(audio[:count * frame], dtype=np.float64).reshape(count, frame).mean(axis=1)
    power = np.convolve(power, np.ones(3) / 3, mode="same")  # a click of one frame is no speech
    level = 10 * np.log10(power + 1e-12)
    peak = level.max()
    if peak < _SILENCE_DB:
        return 0, len(audio)
    floor = np.percentile(level, 10)
    loud = np.flatnonzero(level > max(peak - _RANGE_DB, min(floor + _ABOVE_NOISE_DB, peak - _BELOW_PEAK_DB)))
    margin = int(_MARGIN_SECONDS * sample_rate)
    return max(0, int(loud[0]) * frame - margin), min(len(audio), (int(loud[-1]) + 1) * frame + margin)
