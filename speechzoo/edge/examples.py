"""The recordings that something is learnt from."""

import numpy as np

from speechzoo.audio import AudioError, load_audio

MAXIMUM_RECORDINGS = 10
_SILENT = 1e-3  # of full scale: a microphone that is off


def read_examples(name: str, recordings: list, sample_rate: int | None, model_rate: int,
                  maximum_seconds: float | None = None) -> list[np.ndarray]:
    """The recordings of a voice or a word: float32 (samples,) each, at the model's rate.

    Args:
        name: What is learnt.
        recordings: 1 to 10 paths, bytes of files or arrays.
        sample_rate: Hz of arrays; the model's own when None.
        model_rate: Hz.
        maximum_seconds: Longer recordings are refused.

    Raises:
        AudioError: A recording can't be used, or is silent.
        ValueError: No name, or no or too many recordings.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a name is text, got {name!r}")
    if not isinstance(recordings, (list, tuple)) or not 1 <= len(recordings) <= MAXIMUM_RECORDINGS:
        count = len(recordings) if isinstance(recordings, (list, tuple)) else type(recordings).__name__
        raise ValueError(f"'{name}': give a list of 1 to {MAXIMUM_RECORDINGS} recordings, got {count}")
    examples = [read_samples(recording, sample_rate, model_rate, maximum_seconds) for recording in recordings]
    for number, samples in enumerate(examples, 1):
        if np.abs(samples).max() < _SILENT:
            raise AudioError(f"'{name}': recording {number} is silent; is the microphone on?")
    return examples


def read_samples(audio, sample_rate: int | None, model_rate: int, maximum_seconds: float | None = None) -> np.ndarray:
    """One recording, as `read_examples` reads it, silent or not."""
    if isinstance(audio, np.ndarray):
        audio = (audio, model_rate if sample_rate is None else sample_rate)
    return load_audio(audio, model_rate, maximum_seconds=maximum_seconds)
