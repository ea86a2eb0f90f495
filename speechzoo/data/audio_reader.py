"""Reads the audio of utterances. What can't be read is counted, named and skipped: a long job goes on."""

import logging
import threading

import numpy as np

from speechzoo.audio import SAMPLE_RATE, AudioError
from speechzoo.data.examples import Examples
from speechzoo.data.records import RecordError, read_recording
from speechzoo.data.utterance_audio import Record, read_audio

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
        # As FLAC packs them: sample rate (20 bits), channels - 1 (3), bits per sample - 1 (5), 4 bits of the length.
        self._streaminfo = (sample_rate << 12 | 15 << 4).to_bytes(4, "big")

    def read(self, index: int) -> np.ndarray:
        """Audio of one utterance, float32 (samples,); empty, and counted in `failures`, when it can't be read."""
        try:
            return read_audio(self.examples.audio[index], self.sample_rate, strict=True)
        except (AudioError, RecordError, OSError) as error:
            self._fail(index, error)
            return np.zeros(0, np.float32)

    def prepared_flac(self, index: int) -> bytes:
        """The bytes of one utterance if `speechzoo prepare` wrote them at `sample_rate`; of any other, none.

        Such a record is checked against its sums, and is one channel of 16 bits, so that any decoder of FLAC gives what
        `read` gives. What can't be read is left to `read`, which counts it.
        """
        place = self.examples.audio[index]
        try:
            data = read_recording(*place, verify=True) if isinstance(place, Record) else b""
        except (RecordError, OSError):
            return b""
        return data if data[:4] == b"fLaC" and data[18:22] == self._streaminfo else b""

    def _fail(self, index, error):
        name = self.examples.ids[index]
        with self._lock:
            known = name in self.failures
            self.failures[name] = str(error)
        if not known:
            LOGGER.warning("skipped %s: %s", name, error)
