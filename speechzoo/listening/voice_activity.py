"""Where somebody speaks, in audio that never ends."""

import numpy as np

FRAME_SECONDS = 0.03
# Louder than the noise floor by this is speech, dB.
_ABOVE_FLOOR = 9.0
# The floor follows the quietest frames at once and rises slowly, dB a second.
_FLOOR_RISE = 2.0
_QUIETEST = -75.0  # dB of full scale
_FRAMES_TO_BEGIN = 3


class VoiceActivity:
    """Energy against a noise floor that it follows: cheap, and good enough to know when to ask a model.

    Args:
        sample_rate: Hz.

    Attributes:
        frame: Samples of a frame.
        hangover_seconds: Silence after which speech is over; `speaking` lasts so much longer than speech.
        speaking: Whether somebody speaks now.
        above_floor: How much louder than the noise floor the last frame was, dB.
    """

    hangover_seconds = 0.6

    def __init__(self, sample_rate: int = 16000):
        self.frame = round(FRAME_SECONDS * sample_rate)
        self.speaking = False
        self.above_floor = 0.0
        self._floor = None
        self._loud = self._quiet = 0

    def feed(self, frame: np.ndarray) -> bool:
        """Hears one frame, float32 (samples,) of `frame` samples; returns `speaking`."""
        level = max(10 * np.log10(np.mean(np.square(frame, dtype=np.float64)) + 1e-12), _QUIETEST)
        if self._floor is None:
            self._floor = level
        self._floor = min(level, self._floor + _FLOOR_RISE * FRAME_SECONDS)
        self.above_floor = level - self._floor
        loud = self.above_floor > _ABOVE_FLOOR
        self._loud, self._quiet = (self._loud + 1, 0) if loud else (0, self._quiet + 1)
        if self._loud >= _FRAMES_TO_BEGIN:
            self.speaking = True
        elif self._quiet * FRAME_SECONDS >= self.hangover_seconds:
            self.speaking = False
        return self.speaking
