"""Speech in noise, as benchmarks mix it."""

import numpy as np

FRAME = 2048


def mix_at_snr(speech: np.ndarray, noise: np.ndarray, snr: float, start: int = 0) -> np.ndarray:
    """Adds noise at a ratio of the loudest frames, which pauses don't change, and brings the peak to 0.5.

    The mixing of Picovoice's speech-to-intent benchmark (https://github.com/Picovoice/speech-to-intent-benchmark).

    Args:
        speech: float32 (samples,).
        noise: float32 (samples,) of any length; it begins at `start` and is repeated as needed.
        snr: Power of the speech's loudest frame of 2048 samples over that of the noise's, dB.
        start: First sample of the noise.

    Returns:
        float32 (samples of the speech,). Silent speech gives the noise alone.

    Raises:
        ValueError: Noise that is empty or silent.
    """
    if not len(noise) or not np.any(noise):
        raise ValueError("the noise is empty or silent")
    if not len(speech):
        return speech
    noise = np.take(noise, np.arange(start, start + len(speech)), mode="wrap").astype(np.float64)
    power, noise_power = _loudest(speech), _loudest(noise)
    gain = np.sqrt(noise_power / power * 10 ** (snr / 10)) if power and noise_power else 1.0
    mixed = gain * speech + noise
    return (0.5 * mixed / max(np.abs(mixed).max(), 1e-12)).astype(np.float32)


def _loudest(audio):
    """Mean square of the loudest whole frame; of everything where it is shorter than one."""
    frames = audio[:len(audio) // FRAME * FRAME].reshape(-1, FRAME) if len(audio) >= FRAME else audio[None]
    return float(np.square(frames, dtype=np.float64).mean(axis=1).max())
