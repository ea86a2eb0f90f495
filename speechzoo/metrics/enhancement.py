"""How far enhanced speech is from the clean."""

import numpy as np


def si_sdr(clean: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio, dB (Le Roux et al. 2019, https://arxiv.org/abs/1811.02508).

    Args:
        clean: (samples,).
        estimate: (samples,), in time with it, of any level.

    Example:
        >>> round(si_sdr(np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.2, 2.0])), 2)
        23.01
    """
    clean, estimate = np.asarray(clean, np.float64), np.asarray(estimate, np.float64)
    target = float(estimate @ clean) / max(float(clean @ clean), 1e-12) * clean
    distortion = target - estimate
    return float(10 * np.log10(max(float(target @ target), 1e-12) / max(float(distortion @ distortion), 1e-12)))
