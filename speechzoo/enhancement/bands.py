"""Bands of a spectrum: a gain for each, and from these a gain for each bin."""

import numpy as np

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz


def band_weights(bands: int, bins: int, sample_rate: int) -> np.ndarray:
    """How much of each band's gain a bin has: linear between the middles of two bands, which are evenly apart in mel.

    Slaney's mel scale, which is linear below 1 kHz, so that low bands lie between the harmonics of a voice.

    Args:
        bands: Bands, two at least; the first has its middle at 0 Hz, the last at half the sample rate.
        bins: Bins of the spectrum, from 0 Hz to half the sample rate.
        sample_rate: Hz.

    Returns:
        float32 (bands, bins); the weights of a bin add up to one.

    Example:
        >>> band_weights(2, 3, 200).tolist()
        [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]
    """
    middles = mel_to_hertz(np.linspace(0, float(hertz_to_mel(sample_rate / 2, "slaney")), bands), "slaney")
    hertz = np.linspace(0, sample_rate / 2, bins)
    return np.stack([np.interp(hertz, middles, row) for row in np.eye(bands)]).astype(np.float32)
