"""Loudspeakers and microphones: how the small devices that play and record speech colour it."""

import numpy as np

# Half a period of the lowest frequency that such a response shapes, and 16 ms.
_TAPS = 257
# Where a device begins and ceases to sound, Hz: from a headset to a cheap telephone.
_LOW_EDGE, _HIGH_EDGE = (40.0, 350.0), (3800.0, 7800.0)
# Slopes below and above, dB an octave.
_SLOPE = (6.0, 24.0)
# Spacing of the bumps between, octaves: enclosures and membranes resonate about so densely.
_BUMPS_PER_OCTAVE = 1.5


def make_devices(count: int, ripple: tuple[float, float], seed: int, sample_rate: int = 16000) -> np.ndarray:
    """Impulse responses of random devices: a band with soft edges, a tilt, and smooth bumps in between.

    They are of minimum phase, as real ones nearly are: nothing comes early, so labels stay in time. Their mean power
    over frequencies of speech (200 to 4000 Hz) is 1, so levels stay too.

    Args:
        count: Number of devices.
        ripple: Least and greatest standard deviation of the bumps, dB; a tilt of that many dB from 200 to 4000 Hz is
            added.
        seed: Seed of the devices.
        sample_rate: Hz.

    Returns:
        float32 (devices, samples), in the order of the ripples.
    """
    random = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(4096, 1 / sample_rate)
    octave = np.log2(np.maximum(frequency, 20.0))
    knots = np.arange(octave[0], octave[-1] + 1, 1 / _BUMPS_PER_OCTAVE)
    speech = (frequency >= 200) & (frequency <= 4000)
    responses = []
    for depth in np.linspace(*ripple, count):
        level = np.interp(octave, knots, random.normal(0, depth, len(knots)))
        level += random.normal(0, depth) * (octave - np.log2(900.0)) / np.log2(4000 / 200)
        low, high = (np.log2(random.uniform(*bounds)) for bounds in (_LOW_EDGE, _HIGH_EDGE))
        level -= random.uniform(*_SLOPE) * np.maximum(0, low - octave)
        level -= random.uniform(*_SLOPE) * np.maximum(0, octave - high)
        level -= 10 * np.log10(np.mean(10 ** (level[speech] / 10)))
        responses.append(_minimum_phase(level * np.log(10) / 20)[:_TAPS] * np.hanning(2 * _TAPS - 1)[_TAPS - 1:])
    return np.stack(responses).astype(np.float32)


def _minimum_phase(log_magnitude: np.ndarray) -> np.ndarray:
    """Impulse response of minimum phase: the cepstrum folded onto positive times (Oppenheim and Schafer 1989, 12.3)."""
    cepstrum = np.fft.irfft(log_magnitude)
    half = len(cepstrum) // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1:] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))
