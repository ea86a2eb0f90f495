"""One request to write down what is said."""

import numpy as np
from wyoming.asr import Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.event import Event

from speechzoo.wyoming.voice import Voice


class Transcription:
    """Audio in, a `transcript` event at its end, and while it lasts its stable words, where the model streams.

    Args:
        voice: Who listens.
    """

    def __init__(self, voice: Voice):
        self._voice = voice
        self._parts, self._count = [], 0
        self._stream = voice.model.stream() if voice.streams else None
        self._utterances, self._sent = [], None

    def feed(self, samples: np.ndarray, timestamp: int | None = None) -> list[Event]:
        """Hears more.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate.
            timestamp: Not needed here.

        Returns:
            What the client should be told now.

        Raises:
            ValueError: Longer than a model that doesn't stream can hear at once.
        """
        if self._stream is not None:
            return self._told(self._stream.feed(samples))
        self._count += len(samples)
        if self._count > self._voice.maximum_samples:
            raise ValueError(f"more than {self._voice.maximum_samples / self._voice.spec['sample_rate']:g} s of audio "
                             "in one request; send it in parts")
        self._parts.append(samples)
        return []

    def finish(self) -> list[Event]:
        """The audio has ended: the transcript."""
        if self._stream is None:
            samples = np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)
            return [self._transcript(self._voice.transcribe(samples))]
        told = self._told(self._stream.finish())
        if self._sent is None:
            told.append(TranscriptStart(language=self._voice.language).event())
        return [*told, self._transcript(" ".join(self._utterances)), TranscriptStop().event()]

    def _transcript(self, text):
        return Transcript(text, language=self._voice.language).event()

    def _told(self, events):
        """The words that have become certain, as parts that make up the transcript when joined."""
        told = []
        for heard in events:
            if heard.kind == "utterance":
                self._utterances += [heard.recognition.transcript] if heard.recognition.transcript else []
            text = " ".join(self._utterances + ([heard.stable] if heard.kind == "partial" and heard.stable else []))
            if len(text) > len(self._sent or ""):
                told += [TranscriptStart(language=self._voice.language).event()] if self._sent is None else []
                told.append(TranscriptChunk(text[len(self._sent or ""):]).event())
                self._sent = text
        return told
