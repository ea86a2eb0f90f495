"""Speech in noise, as benchmarks mix it."""

import zlib
from pathlib import Path

import numpy as np

from speechzoo.audio import SAMPLE_RATE, load_audio
from speechzoo.data.manifest import read_manifest
from speechzoo.data.utterance_audio import read_utterance_audio

FRAME = 2048


def read_noises(path: str | Path, split: str | None = None, sample_rate: int = SAMPLE_RATE) -> list[np.ndarray]:
    """Reads the noises to measure in, each float32 (samples,).

    Args:
        path: A recording, or a manifest of recordings (`.jsonl`).
        split: Of a manifest, only the utterances of this split.
        sample_rate: Hz.

    Raises:
        AudioError, ManifestError, RecordError, OSError: It can't be read.
        ValueError: The manifest has no noise of that split.
    """
    path = Path(path)
    if path.suffix != ".jsonl":
        if split is not None:
            raise ValueError(f"{path}: a recording has no split '{split}'; only a manifest of noises (.jsonl) has")
        return [load_audio(path, sample_rate)]
    noises = [read_utterance_audio(utterance, path.parent, sample_rate) for utterance in read_manifest(path)
              if split in (None, utterance.get("split"))]
    noises = [noise for noise in noises if np.any(noise)]
    if not noises:
        raise ValueError(f"{path}: no noise in it" + (f" of split '{split}'" if split else ""))
    return noises


def mix_somewhere(speech: np.ndarray, noises: list[np.ndarray], snr: float, name: str) -> np.ndarray:
    """Mixes with a piece of one of the noises: anywhere, but always the same for one `name` at one ratio.

    Args:
        speech: float32 (samples,).
        noises: float32 (samples,) each.
        snr: See `mix_at_snr`.
        name: Of the recording.
    """
    number = zlib.crc32(f"{name} {snr:g}".encode())
    noise = noises[number % len(noises)]
    return mix_at_snr(speech, noise, snr, number // len(noises) % len(noise))


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
