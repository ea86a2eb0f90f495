"""The audio of one utterance of a manifest: where it lies, and reading it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechzoo.audio import SAMPLE_RATE, AudioError, load_audio
from speechzoo.data.records import read_recording


class File(NamedTuple):
    """A recording, or a part of one: `start` and `duration` in seconds; the whole rest without a duration."""

    path: str
    start: float
    duration: float | None


class Record(NamedTuple):
    """An encoded recording inside a TFRecord shard: where its bytes begin and how many there are."""

    path: str
    offset: int
    length: int


def locate_audio(utterance: dict, folder: str | Path) -> File | Record:
    """Where the audio of an utterance lies.

    A prepared utterance lies in its `record`, which holds exactly the piece that `audio`, `start` and `duration`
    describe; any other in its `audio` file.

    Args:
        utterance: A line of a manifest.
        folder: The manifest's folder, which its paths are relative to.
    """
    record = utterance.get("record")
    if record:
        return Record(str(Path(folder) / record["shard"]), record["offset"], record["length"])
    return File(str(Path(folder) / utterance["audio"]), utterance.get("start") or 0.0, utterance.get("duration"))


def read_audio(place: File | Record, sample_rate: int = SAMPLE_RATE, maximum_seconds: float | None = None,
               strict: bool = False) -> np.ndarray:
    """Reads what lies at a place as float32 (samples,) in [-1, 1].

    Args:
        place: As `locate_audio` gives it.
        sample_rate: Hz of the result.
        maximum_seconds: Refuse more than this.
        strict: As `load_audio`.

    Raises:
        AudioError: The audio is missing or can't be used.
        RecordError: The shard doesn't hold the record.
    """
    if isinstance(place, File):
        return load_audio(place.path, sample_rate, place.start, place.duration, maximum_seconds, strict=strict)
    try:
        return load_audio(read_recording(*place), sample_rate, maximum_seconds=maximum_seconds, strict=strict)
    except OSError as error:
        raise AudioError(f"{place.path}: {error.strerror.lower()}") from None
    except AudioError as error:  # it knows no name but "the audio bytes"
        raise AudioError(f"{place.path}: record at byte {place.offset}: {error}") from None


def read_utterance_audio(utterance: dict, folder: str | Path, sample_rate: int = SAMPLE_RATE,
                         maximum_seconds: float | None = None) -> np.ndarray:
    """`read_audio`, strict, of what `locate_audio` finds: an utterance's labels are of all of it."""
    return read_audio(locate_audio(utterance, folder), sample_rate, maximum_seconds, strict=True)
