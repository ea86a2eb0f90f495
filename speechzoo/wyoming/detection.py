"""One request to say when a wake word is heard."""

import numpy as np
from wyoming.event import Event
from wyoming.wake import Detection, NotDetected

from speechzoo.listening.listener import Listener
from speechzoo.wyoming.voice import Voice


class WakeWordDetection:
    """Audio without end in, a `detection` event for each wake word that is heard.

    Args:
        voice: Who listens.
        names: Wake words to wait for; all that `voice` answers to when None.

    Raises:
        ValueError: A wake word that `voice` doesn't answer to.
    """

    def __init__(self, voice: Voice, names: list[str] | None = None):
        self._names = voice.wake_words if names is None else names
        if not isinstance(self._names, list) or not self._names or not all(n in voice.wake_words for n in self._names):
            raise ValueError(f"no such wake words: {names}; there are: " + (", ".join(voice.wake_words) or "none"))
        self._voice = voice
        self._detected, self._fed = False, 0
        self._begin()

    def feed(self, samples: np.ndarray, timestamp: int | None = None) -> list[Event]:
        """Hears more.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate.
            timestamp: Milliseconds, of the chunk that they came in; goes into its detections. Of a client that gives
                none they have the milliseconds that it sent before the chunk.

        Returns:
            What the client should be told now.
        """
        if timestamp is None:
            timestamp = round(1000 * self._fed / self._voice.spec["sample_rate"])
        self._fed += len(samples)
        told = []
        for heard in self._ears.feed(samples):
            word = heard.recognition.keyword
            if heard.kind in ("keyword", "wake_word") and word in self._names:
                told.append(Detection(name=word, timestamp=timestamp).event())
                self._detected = True
                if heard.kind == "wake_word":  # a Listener goes on to the command, which is another request
                    self._begin()
                    break
        return told

    def finish(self) -> list[Event]:
        """The audio has ended."""
        return [] if self._detected else [NotDetected().event()]

    def _begin(self):
        if "stream" in self._voice.spec:
            self._ears = self._voice.model.stream(threshold=self._voice.threshold)
        else:
            self._ears = Listener(self._voice.model, wake_word=self._names, threshold=self._voice.threshold)
