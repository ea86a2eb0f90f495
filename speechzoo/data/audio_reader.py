"""Reads the audio of utterances. What can't be read is counted, named and skipped: a long job goes on."""

import logging
import threading

import numpy as np

from speechzoo.audio import SAMPLE_RATE, AudioError
from speechzoo.data.examples import Examples
from speechzoo.data.records import RecordError
from speechzoo.data.utterance_audio import read_audio

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
            return read_audio(self.examples.audio[index], self.sample_rate, strict=True)
        except (AudioError, RecordError, OSError) as error:
            self._fail(index, error)
            return np.zeros(0, np.float32)

    def _fail(self, index, error):
        name = self.examples.ids[index]
        with self._lock:
            known = name in self.failures
            self.failures[name] = str(error)
        if not known:
            LOGGER.warning("skipped %s: %s", name, error)
