"""Another vocal tract for a recorded voice: its spectral envelope stretched along frequency, its pitch kept."""

import numpy as np

_WINDOW, _HOP = 512, 128
# Quefrencies kept for the envelope: 1.9 ms, below the pitch period of any voice (at 16 kHz).
_LIFTER = 30
# The envelope of what a voice lacks, such as all above 4 kHz of a telephone, must not be raised to speech.
_MAXIMUM_GAIN = np.log(10 ** (20 / 20))


def warp_envelope(audio: np.ndarray, factor: float) -> np.ndarray:
    """Moves the formants by `factor`: above 1 a shorter vocal tract, below 1 a longer one.

    Each frame of the short-time spectrum is multiplied with the ratio of its envelope, read at f / factor, to its
    envelope; the envelope is the cepstrum's low quefrencies. Harmonics stay where they are, and so does time.

    Args:
        audio: float32 (samples,), 16 kHz.
        factor: Ratio of formant frequencies, 0.7 to 1.4.

    Returns:
        float32 (samples,).

    Source: the warp is that of vocal tract length normalisation (Lee and Rose 1996), linear, on a cepstrally smoothed
    envelope (Oppenheim and Schafer 1968).
    """
    if factor == 1 or not len(audio):
        return audio
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    count = 1 + (len(audio) + _WINDOW) // _HOP
    padded = np.zeros((count - 1) * _HOP + _WINDOW, np.float32)
    padded[_WINDOW // 2:][:len(audio)] = audio
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * window
    spectrum = np.fft.rfft(frames)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-5))
    cepstrum[:, _LIFTER + 1:-_LIFTER] = 0
    envelope = np.fft.rfft(cepstrum).real
    bins = np.arange(envelope.shape[1])
    position = np.minimum(bins / factor, bins[-1])
    lower = np.minimum(position.astype(int), bins[-1] - 1)
    moved = envelope[:, lower] + (position - lower) * (envelope[:, lower + 1] - envelope[:, lower])
    spectrum *= np.exp(np.clip(moved - envelope, -2 * _MAXIMUM_GAIN, _MAXIMUM_GAIN))
    frames = (np.fft.irfft(spectrum) * window).astype(np.float32)
    result, weight = np.zeros_like(padded), np.zeros_like(padded)
    for number, frame in enumerate(frames):
        result[number * _HOP:][:_WINDOW] += frame
        weight[number * _HOP:][:_WINDOW] += window * window
    return (result / np.maximum(weight, 1e-3))[_WINDOW // 2:][:len(audio)]
