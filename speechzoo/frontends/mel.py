"""Mel filterbanks and Fourier matrices as NumPy constants."""

import numpy as np

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz


def mel_filterbank(num_mel_bins: int, fft_length: int, sample_rate: int, minimum_hertz: float, maximum_hertz: float,
                   scale: str) -> np.ndarray:
    """Triangular mel filters.

    Args:
        scale: `htk` (peaks of height 1, as HTK and Kaldi) or `slaney` (area normalised, librosa's default).

    Returns:
        float32 (fft_length // 2 + 1, num_mel_bins).
    """
    bins = np.linspace(0.0, sample_rate / 2, fft_length // 2 + 1)
    edges = mel_to_hertz(np.linspace(*hertz_to_mel([minimum_hertz, maximum_hertz], scale), num_mel_bins + 2), scale)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if scale == "slaney":
        filters *= 2.0 / (edges[2:] - edges[:-2])
    return filters.astype(np.float32)


def folded_fourier_matrices(window: np.ndarray, fft_length: int) -> tuple[np.ndarray, np.ndarray]:
    """A windowed Fourier transform for frames folded in the middle.

    A periodic window, as Hann's, is its own mirror image behind its first sample, so that sample n and
    sample `len(window) - n` have the same weight, the same cosine and opposite sines, seen from the middle: a frame's
    sums and differences of such pairs give its spectrum, but for a phase that the power doesn't have, with half as many
    products each.

    Returns:
        float32 (len(window) // 2, fft_length // 2 + 1) each: what the sums x[n] + x[len(window) - n] are multiplied
        with, n from 1 to len(window) // 2, for the real part, and the differences for the imaginary part.
    """
    places = np.arange(1, len(window) // 2 + 1)
    weights = window[places]
    weights[2 * places == len(window)] /= 2  # the middle is its own partner
    angle = 2 * np.pi * np.outer(places - len(window) / 2, np.arange(fft_length // 2 + 1)) / fft_length
    return tuple((weights[:, None] * wave(angle)).astype(np.float32) for wave in (np.cos, np.sin))


def first_fourier_rows(window: np.ndarray, fft_length: int) -> tuple[np.ndarray, np.ndarray]:
    """What the first sample of a frame adds to the products with `folded_fourier_matrices`, which has no partner.

    Returns:
        float32 (1, fft_length // 2 + 1) each, for the real and the imaginary part; zero where the window begins with
        zero.
    """
    angle = -np.pi * len(window) * np.arange(fft_length // 2 + 1)[None] / fft_length
    return tuple((window[0] * wave(angle)).astype(np.float32) for wave in (np.cos, np.sin))
