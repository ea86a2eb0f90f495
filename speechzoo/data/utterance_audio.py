"""The audio of one utterance of a manifest, wherever it lies."""

from pathlib import Path

import numpy as np

from speechzoo.audio import SAMPLE_RATE, AudioError, load_audio
from speechzoo.data.records import read_recording


def read_utterance_audio(utterance: dict, folder: str | Path, sample_rate: int = SAMPLE_RATE,
                         maximum_seconds: float | None = None) -> np.ndarray:
    """Reads an utterance as float32 (samples,) in [-1, 1].

    A prepared utterance is read from its `record`, which holds exactly the piece that `audio`, `start` and `duration`
    describe; any other from its `audio` file, `start` and `duration`.

    Args:
        utterance: A line of a manifest.
        folder: The manifest's folder, which its paths are relative to.
        sample_rate: Hz of the result.
        maximum_seconds: Refuse more than this.

    Raises:
        AudioError: The audio is missing or can't be used.
        RecordError: The shard doesn't hold the record.
    """
    record = utterance.get("record")
    if record is None:
        return load_audio(Path(folder) / utterance["audio"], sample_rate, utterance.get("start") or 0.0,
                          utterance.get("duration"), maximum_seconds)
    path = Path(folder) / record["shard"]
    try:
        recording = read_recording(path, record["offset"], record["length"])
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror.lower()}") from None
    return load_audio(recording, sample_rate, maximum_seconds=maximum_seconds)
