"""Recordings that an export is measured on and calibrated with."""

from importlib import resources
from pathlib import Path

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.data.manifest import read_manifest
from speechzoo.data.utterance_audio import locate_audio, read_audio

MAXIMUM_RECORDINGS = 32
MAXIMUM_SECONDS = 10.0
# A manifest's recordings are chosen from at most so many, which are listened to.
_CANDIDATES = 128
_FRAME_SECONDS = 0.02
# What tells utterances apart, the first that one has.
_LABELS = ("keyword", "intent", "event", "gender", "age_group")


def read_recordings(source, sample_rate: int) -> list[np.ndarray]:
    """Up to 32 recordings, of at most their first 10 seconds each.

    Args:
        source: A manifest, of which those are taken that differ most (`choose_different`); a list of float32 (samples,)
            arrays, which are given back; or None for the bundled recordings.
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
        utterances = [utterance for utterance in read_manifest(source) if "audio" in utterance or "record" in utterance]
        steps = np.linspace(0, len(utterances) - 1, min(len(utterances), _CANDIDATES)).astype(int)
        utterances = [utterances[index] for index in np.unique(steps)]
        recordings = [_read(source, utterance, sample_rate) for utterance in utterances]
        labels = [next((f"{label} {utterance[label]}" for label in _LABELS if label in utterance), "")
                  for utterance in utterances]
        recordings = [recordings[index] for index in choose_different(recordings, labels, sample_rate)]
    if not recordings:
        raise ValueError(f"{source if isinstance(source, (str, Path)) else 'representative'}: no recordings with audio")
    return recordings


def choose_different(recordings: list[np.ndarray], labels: list[str], sample_rate: int,
                     count: int = MAXIMUM_RECORDINGS) -> list[int]:
    """Recordings that differ most in level, noise, length and label, always the same ones.

    Each next one is the farthest from those chosen before (Gonzalez 1985, "Clustering to minimize the maximum
    intercluster distance"); the first is the most ordinary one.

    Args:
        recordings: float32 (samples,) each.
        labels: One per recording; another label is as far away as one standard deviation of the rest.
        sample_rate: Hz.
        count: How many to choose at most.

    Returns:
        Their numbers, ascending.
    """
    if len(recordings) <= count:
        return list(range(len(recordings)))
    points = np.array([_describe(audio, sample_rate) for audio in recordings])
    points = (points - points.mean(axis=0)) / np.maximum(points.std(axis=0), 1e-6)
    labels = np.asarray(labels)
    chosen = [int(np.argmin((points ** 2).sum(axis=1)))]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        last = chosen[-1]
        distance = np.minimum(distance, ((points - points[last]) ** 2).sum(axis=1) + (labels != labels[last]))
        chosen.append(int(np.argmax(distance)))
    return sorted(chosen)


def bundled_recordings(sample_rate: int) -> list[np.ndarray]:
    """The recordings that come with the package: a synthetic voice, made by us, in sentences and single words."""
    folder = resources.files("speechzoo.exporters") / "voices"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".flac")), key=lambda item: item.name)
    return [load_audio(item.read_bytes(), sample_rate) for item in files]


def _describe(audio, sample_rate):
    """Level (dB), how far it rises above its quietest parts (dB), octaves of length."""
    frame = round(_FRAME_SECONDS * sample_rate)
    frames = np.pad(audio, (0, -len(audio) % frame)).reshape(-1, frame)
    power = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)
    low, high = np.percentile(power, [10, 95])
    return 10 * np.log10(np.square(audio, dtype=np.float64).mean() + 1e-10), high - low, np.log2(max(len(audio), 1))


def _read(manifest, utterance, sample_rate):
    # A recording of eight hours is not read whole, and a TFRecord holds utterances. What is shorter will do: no
    # label is of all of it.
    duration = min(utterance.get("duration") or MAXIMUM_SECONDS, MAXIMUM_SECONDS)
    audio = read_audio(locate_audio({**utterance, "duration": duration}, Path(manifest).parent), sample_rate)
    return audio[:round(MAXIMUM_SECONDS * sample_rate)]
