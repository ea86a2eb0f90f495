"""Gains by time and frequency, applied to samples: short-time Fourier transform and overlap-add, hop by hop."""

import numpy as np


def analysis_window(hop_length: int) -> np.ndarray:
    """The window of analysis and of synthesis, float32 (2 x hop_length,): the root of a periodic Hann window.

    Its squares, half a window apart, add up to one, so that gains of one give back what came.
    """
    return np.sqrt(np.hanning(2 * hop_length + 1)[:-1]).astype(np.float32)


class OverlapAdd:
    """Multiplies the spectrum of a stream with gains. Windows are two hops long and end with their hop.

    A hop leaves when the next one has come, so what leaves is one hop behind what came.

    Args:
        hop_length: Samples between the beginnings of two windows.

    Example:
        >>> stream = OverlapAdd(2)
        >>> twice = np.full((1, 3), 2, np.float32)
        >>> [(stream.feed(samples, twice).round(4) + 0).tolist() for samples in np.arange(6.0).reshape(3, 2)]
        [[0.0, 0.0], [0.0, 2.0], [4.0, 6.0]]
    """

    def __init__(self, hop_length: int):
        self.hop_length = hop_length
        self.window = analysis_window(hop_length)
        self.past = np.zeros(hop_length, np.float32)
        self.overlap = np.zeros(hop_length, np.float32)

    def feed(self, samples: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Takes whole hops and gives as many samples.

        Args:
            samples: float32 (hops x hop_length,).
            gains: float32 (hops, hop_length + 1), a gain for each bin of the window that ends with the hop.

        Returns:
            float32 (hops x hop_length,), those of one hop before.
        """
        joined = np.concatenate([self.past, np.asarray(samples, np.float32)])
        hops = joined.reshape(-1, self.hop_length)
        frames = np.concatenate([hops[:-1], hops[1:]], axis=1) * self.window
        frames = np.fft.irfft(np.fft.rfft(frames) * gains, 2 * self.hop_length) * self.window
        first, second = frames[:, :self.hop_length], frames[:, self.hop_length:]
        leaving = first + np.concatenate([self.overlap[None], second[:-1]])
        self.past, self.overlap = hops[-1], second[-1].astype(np.float32)
        return leaving.ravel().astype(np.float32)
