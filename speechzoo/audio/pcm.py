"""Raw samples as clients send them -> float32 mono at the model's rate."""

import numpy as np
import soxr

RATES = (8000, 192000)
"""`RATES` are the lowest and the highest sample rate, Hz."""
MAXIMUM_CHANNELS = 8


class PcmStream:
    """Converts a stream of interleaved little-endian PCM, cut anywhere, even inside a sample.

    Args:
        rate: Hz of what comes.
        width: Bytes a sample: 1 (unsigned), 2, 3 or 4 (signed).
        channels: They are averaged.
        sample_rate: Hz of the result.

    Raises:
        ValueError: A format that no microphone has.
    """

    def __init__(self, rate: int, width: int, channels: int, sample_rate: int):
        if not (isinstance(rate, int) and RATES[0] <= rate <= RATES[1]):
            raise ValueError(f"audio of {rate!r} Hz; {RATES[0]} to {RATES[1]} can be converted")
        if width not in (1, 2, 3, 4) or not (isinstance(channels, int) and 1 <= channels <= MAXIMUM_CHANNELS):
            raise ValueError(f"audio of {width!r} bytes a sample in {channels!r} channels; 1 to 4 bytes and 1 to "
                             f"{MAXIMUM_CHANNELS} channels can be converted")
        self.format = (rate, width, channels)
        self._rest = b""
        self._resampler = None if rate == sample_rate else soxr.ResampleStream(rate, sample_rate, 1, "float32", "HQ")

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """float32 (samples,) in [-1, 1]: what is complete so far, and with `last` all that there will be."""
        _, width, channels = self.format
        data = self._rest + data
        whole = len(data) // (width * channels) * width * channels
        self._rest = data[whole:]
        samples = _floats(data[:whole], width).reshape(-1, channels).mean(axis=1, dtype=np.float32)
        if self._resampler is None:
            return samples
        return np.clip(self._resampler.resample_chunk(samples, last=last), -1, 1)


def _floats(data, width):
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:  # as the upper three of four bytes
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = padded.tobytes(), 4
    return np.frombuffer(data, f"<i{width}").astype(np.float32) / 2 ** (8 * width - 1)
