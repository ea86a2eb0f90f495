"""A speaker that doesn't hear itself: what it plays is estimated in what its microphone records, and taken out."""

import numpy as np

# How fast the room is expected to change: the share of a coefficient that a block leaves as it was.
TRANSITION = 0.9997
# Smoothing of the spectrum of what is left, which is near-end speech, noise, and echo that isn't learnt yet.
SMOOTHING = 0.8
# Variance of the coefficients before anything is known of them, and the least power of a spectrum.
INITIAL_VARIANCE, TINY = 1.0, 1e-10


class EchoCanceller:
    """A partitioned-block frequency-domain adaptive filter, fed with what the loudspeaker plays.

    The path from loudspeaker to microphone is a long filter, cut into partitions of a block each; all of them are
    multiplied, and adapted, in the spectrum of the latest block (Soo and Pang 1990, "Multidelay block frequency domain
    adaptive filter", https://doi.org/10.1109/29.45478).

    The guard against double talk is the step, which a Kalman filter chooses for every bin: what is left while somebody
    speaks counts as noise of the measurement, so that the filter rests in the bins of the voice and doesn't unlearn the
    room (Enzner and Vary 2006, https://doi.org/10.1016/j.sigpro.2005.09.013; in partitions: Kuech, Mabande and Enzner
    2014, https://doi.org/10.1109/ICASSP.2014.6853806).

    Microphone and loudspeaker must run by the same clock. What the loudspeaker distorts stays: follow with an
    `Enhancer` where that matters.

    Args:
        sample_rate: Hz.
        filter_seconds: Length of the path from loudspeaker to microphone that is learnt, delays of buffers included.
        block_length: Samples of a block, by which the output is behind the input at most.

    Raises:
        ValueError: A length that isn't above 0.

    Example:
        canceller = EchoCanceller()
        for recorded, played in blocks:
            heard = canceller.feed(recorded, played)
    """

    def __init__(self, sample_rate: int = 16000, filter_seconds: float = 0.25, block_length: int = 256):
        if filter_seconds <= 0 or block_length <= 0:
            raise ValueError(f"echo canceller: filter_seconds {filter_seconds:g} and block_length {block_length} must "
                             "be above 0")
        self.block_length = block_length
        partitions, bins = -(-round(filter_seconds * sample_rate) // block_length), block_length + 1
        self._played = np.zeros((partitions, bins), np.complex128)  # spectra of the latest blocks, the newest first
        self._filter = np.zeros((partitions, bins), np.complex128)
        # Early reflections are louder than late ones.
        decay = np.exp(-3.0 * np.arange(partitions) / partitions)[:, None]
        self._variance = np.full((partitions, bins), INITIAL_VARIANCE) * decay
        self._left = np.zeros(bins)  # smoothed power of what is left
        self._last_block = np.zeros(block_length)
        self._pending = np.zeros((2, 0), np.float32)

    def feed(self, recorded: np.ndarray, played: np.ndarray) -> np.ndarray:
        """Takes more of both streams and gives what is ready.

        Args:
            recorded: (samples,) of the microphone, floats in [-1, 1]; any number of them.
            played: (samples,) that the loudspeaker plays at that time, or shortly before.

        Returns:
            float32 (samples,) of the microphone without the echo, whole blocks, which go on where the last ended.

        Raises:
            ValueError: Streams of different lengths, or samples that are not finite numbers.
        """
        new = _pair(recorded, played)
        self._pending = np.concatenate([self._pending, new], axis=1)
        count = self._pending.shape[1] // self.block_length
        now, self._pending = np.split(self._pending, [count * self.block_length], axis=1)
        blocks = [self._block(*block) for block in now.reshape(2, count, self.block_length).transpose(1, 0, 2)]
        return np.concatenate([np.zeros(0), *blocks]).astype(np.float32)

    def finish(self) -> np.ndarray:
        """The samples that are still to come, float32 (samples,): less than a block."""
        count = self._pending.shape[1]
        if not count:
            return np.zeros(0, np.float32)
        silence = np.zeros(self.block_length - count, np.float32)
        return self.feed(silence, silence)[:count]

    def cancel(self, recorded: np.ndarray, played: np.ndarray) -> np.ndarray:
        """A whole recording (samples,) without the echo of what was played, as `feed` and `finish` give it.

        What was played is cut, or followed by silence, to the length of the recording.
        """
        played = np.asarray(played, np.float32)[:len(recorded)]
        played = np.pad(played, (0, len(recorded) - len(played)))
        return np.concatenate([self.feed(recorded, played), self.finish()])

    def _block(self, recorded, played):
        size = self.block_length
        spectrum = np.fft.rfft(np.concatenate([self._last_block, played]))
        self._last_block = played
        self._played = np.concatenate([spectrum[None], self._played[:-1]])
        # Overlap-save: the second half of a circular convolution is a linear one.
        echo = np.fft.irfft(np.sum(self._filter * self._played, axis=0))[size:]
        left = recorded - echo
        self._adapt(np.fft.rfft(np.concatenate([np.zeros(size), left])))
        return left

    def _adapt(self, left):
        power = np.square(np.abs(self._played))
        self._left = SMOOTHING * self._left + (1 - SMOOTHING) * np.square(np.abs(left))
        # Of a block of zeros and a block of samples, half the power of a stationary signal is seen: hence the twos.
        gain = self._variance / (np.sum(power * self._variance, axis=0) + 2 * self._left + TINY)
        step = gain * np.conj(self._played) * left
        # A partition is a block long: what circular convolution puts behind it is cut off.
        response = np.fft.irfft(self._filter + step)
        response[:, self.block_length:] = 0
        self._filter = TRANSITION * np.fft.rfft(response)
        self._variance = (TRANSITION ** 2 * (1 - 0.5 * gain * power) * self._variance
                          + (1 - TRANSITION ** 2) * np.square(np.abs(self._filter)))


def _pair(recorded, played) -> np.ndarray:
    """Both as float32 (2, samples)."""
    recorded, played = np.asarray(recorded, np.float32), np.asarray(played, np.float32)
    if recorded.ndim != 1 or recorded.shape != played.shape:
        raise ValueError(f"an echo canceller takes as many samples played as recorded, (samples,) each; got shapes "
                         f"{recorded.shape} and {played.shape}")
    pair = np.stack([recorded, played])
    if not np.isfinite(pair).all():
        raise ValueError("samples that are not finite numbers")
    return pair
