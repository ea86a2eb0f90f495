"""The mel scale: Hz as far apart as they sound."""

import numpy as np


def hertz_to_mel(hertz, scale: str):
    """Hz -> mel: `htk` is 2595 log10(1 + f/700); `slaney` is linear below 1 kHz and logarithmic above (Slaney 1998)."""
    hertz = np.asarray(hertz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    linear = hertz * 3.0 / 200.0
    return np.where(hertz < 1000.0, linear, 15.0 + 27.0 * np.log(np.maximum(hertz, 1000.0) / 1000.0) / np.log(6.4))


def mel_to_hertz(mel, scale: str):
    """The inverse of `hertz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(np.log(6.4) * (np.maximum(mel, 15.0) - 15.0) / 27.0))
