"""Shared checks: a new part's test is its arguments and what it must give."""

import io

import numpy as np
import soundfile

SAMPLE_RATE = 16000


def tone(seconds: float = 1.0, frequency: float = 440.0, sample_rate: int = SAMPLE_RATE, seed: int | None = None) -> np.ndarray:
    """A sine at a third of full scale, float32 (samples,), with a little noise when a seed is given."""
    time = np.arange(int(round(seconds * sample_rate))) / sample_rate
    audio = np.sin(2 * np.pi * frequency * time) / 3
    if seed is not None:
        audio = audio + 0.01 * np.random.default_rng(seed).standard_normal(len(time))
    return audio.astype(np.float32)


def write_wav(path, audio: np.ndarray, sample_rate: int = SAMPLE_RATE, subtype: str = "PCM_16"):
    """Writes `audio` (samples,) or (samples, channels), making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, sample_rate, subtype=subtype)
    return path


def encoded(audio: np.ndarray, container: str = "WAV", sample_rate: int = SAMPLE_RATE, subtype: str | None = None) -> bytes:
    """`audio` as the bytes of a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, sample_rate, format=container, subtype=subtype)
    return buffer.getvalue()
