"""Reads the audio of utterances. What can't be read is counted, named and skipped: a long job goes on."""

import logging
import threading

import numpy as np

from speechzoo.audio import SAMPLE_RATE, AudioError, load_audio
from speechzoo.data.examples import Examples, File, Record
from speechzoo.data.records import RecordError, read_recording

LOGGER = logging.getLogger(__name__)


class AudioReader:
    """Audio of the utterances of `examples`, by index; safe to use from several threads.

    Args:
        examples: The utterances.
        sample_rate: Hz of what is returned.

    Attributes:
        failures: Id -> reason, of every utterance whose audio couldn't be read so far.
    """

    def __init__(self, examples: Examples, sample_rate: int = SAMPLE_RATE):
        self.examples, self.sample_rate = examples, sample_rate
        self.failures: dict[str, str] = {}
        self._lock = threading.Lock()

    def read(self, index: int) -> np.ndarray:
        """Audio of one utterance, float32 (samples,); empty, and counted in `failures`, when it can't be read."""
        try:
            return read_audio(self.examples.audio[index], self.sample_rate)
        except (AudioError, RecordError, OSError) as error:
            self._fail(index, error)
            return np.zeros(0, np.float32)

    def read_bytes(self, index: int) -> bytes:
        """The encoded recording of one utterance, for decoding elsewhere; empty and counted when it can't be read."""
        place = self.examples.audio[index]
        try:
            if isinstance(place, Record):
                return read_recording(*place)
            with open(place.path, "rb") as file:
                return file.read()
        except (AudioError, RecordError, OSError) as error:
            self._fail(index, error)
            return b""

    def _fail(self, index, error):
        name = self.examples.ids[index]
        with self._lock:
            known = name in self.failures
            self.failures[name] = str(error)
        if not known:
            LOGGER.warning("skipped %s: %s", name, error)


def read_audio(place: File | Record, sample_rate: int) -> np.ndarray:
    """Reads what lies at a place, float32 (samples,).

    Raises:
        AudioError, RecordError, OSError: It is missing, damaged, truncated or not audio.
    """
    if isinstance(place, File):
        return load_audio(place.path, sample_rate, place.start, place.duration, strict=True)
    try:
        return load_audio(read_recording(*place), sample_rate, strict=True)
    except AudioError as error:  # it knows no name but "the audio bytes"
        raise AudioError(f"{place.path}: record at byte {place.offset}: {error}") from None
