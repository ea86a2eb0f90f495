"""Recordings that an export is measured on and calibrated with."""

from importlib import resources
from pathlib import Path

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.data.manifest import audio_path, read_manifest

MAXIMUM_RECORDINGS = 32
MAXIMUM_SECONDS = 10.0


def read_recordings(source, sample_rate: int) -> list[np.ndarray]:
    """Up to 32 recordings, of at most their first 10 seconds each.

    Args:
        source: A manifest, whose utterances are taken at even steps so that every part of it is heard; a list of
            float32 (samples,) arrays, which are given back; or None for the bundled recordings.
        sample_rate: Hz of the result.

    Returns:
        float32 (samples,) each.

    Raises:
        ManifestError, AudioError: The manifest or a recording can't be read.
        ValueError: No recordings at all.
    """
    if source is None:
        return bundled_recordings(sample_rate)
    if not isinstance(source, (str, Path)):
        recordings = [np.asarray(audio, np.float32) for audio in source]
    else:
        utterances = [utterance for utterance in read_manifest(source) if "audio" in utterance]
        chosen = np.unique(np.linspace(0, len(utterances) - 1, min(len(utterances), MAXIMUM_RECORDINGS)).astype(int))
        recordings = [_read(source, utterances[index], sample_rate) for index in chosen]
    if not recordings:
        raise ValueError(f"{source if isinstance(source, (str, Path)) else 'representative'}: no recordings with audio")
    return recordings


def bundled_recordings(sample_rate: int) -> list[np.ndarray]:
    """The recordings that come with the package: a synthetic voice, made by us, in sentences and single words."""
    folder = resources.files("speechzoo.exporters") / "voices"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".flac")), key=lambda item: item.name)
    return [load_audio(item.read_bytes(), sample_rate) for item in files]


def _read(manifest, utterance, sample_rate):
    duration = min(utterance.get("duration") or MAXIMUM_SECONDS, MAXIMUM_SECONDS)
    return load_audio(audio_path(manifest, utterance), sample_rate, utterance.get("start", 0.0), duration)
