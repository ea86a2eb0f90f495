"""Continuous audio -> wake word -> command, by a model that hears step by step."""

from collections.abc import Iterator

import numpy as np

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.streams.event import StreamEvent
from speechzoo.decoding.streams.wake_words import check_wake_words
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.edge.learnt import Learnt
from speechzoo.listening.listener import PATIENCE_SECONDS


REST_SECONDS = 0.6
"""What ends within `REST_SECONDS` of the wake word is the rest of that word, and no command."""


class StreamListener:
    """Hears a stream as `Listener` does, with a model that can stream: every sample is heard once.

    No detector of speech by energy stands before the model, so whispers over music count as they are understood, and
    partial transcripts come while somebody speaks. A wake word is known before it has been said to its end: an
    utterance that ends within 0.6 s of it is the rest of the word, and the command may follow within 6 s.

    Args:
        model: An EdgeModel with the signature `stream_step`, or a MultiTaskModel that can stream; with a `ctc` head.
        commands: Decoder of a grammar, which then answers intent and slots.
        wake_word: Class of the `keyword` head to wait for; every utterance is recognised when None.
        threshold: Mean posterior that wakes, above 0 and at most 1; when None, the one that was measured for the word.
        partials: Gives the utterance under way, too, whenever its transcript has grown.
        learnt: What the device has learnt: voices, which say who spoke. Words have to be None, because they are
            recognised in whole recordings; a `Listener` takes them.
        decoder: For the transcripts of whole utterances, as of `Recognizer.recognize`; partial ones are greedy.

    Raises:
        ValueError: The model doesn't know the wake word or doesn't offer it, or can't stream, or learnt words are
            given.

    Attributes:
        thresholds: Wake word -> mean posterior that wakes.
    """

    def __init__(self, model: Recognizer, commands: CommandDecoder | None = None, wake_word: str | None = None,
                 threshold: float | None = None, *, partials: bool = False, learnt: Learnt = Learnt(),
                 decoder=None):
        if learnt.words is not None:
            raise ValueError("a stream has no recordings of learnt words; a Listener hears them")
        spec = model.spec
        self.thresholds = check_wake_words(spec, [] if wake_word is None else [wake_word], threshold)
        self.rate = spec["sample_rate"]
        self.wake_word, self.partials, self.learnt = wake_word, partials, learnt
        self._stream = model.stream(commands=commands, decoder=decoder, threshold=threshold)
        self._step = spec["stream"]["step_samples"]
        self._awake_until = self._rest_until = None

    def feed(self, samples: np.ndarray) -> Iterator[StreamEvent]:
        """Hears more of the stream.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate, any number of them.

        Yields:
            What was heard, as soon as it is known.
        """
        samples = np.asarray(samples)
        # A step at a time: a wake word changes what is done with the next one.
        for start in range(0, len(samples), self._step):
            for heard in self._stream.feed(samples[start:start + self._step]):
                yield from self._pass_on(heard)

    def finish(self) -> Iterator[StreamEvent]:
        """The stream has ended: what was under way."""
        for heard in self._stream.finish():
            yield from self._pass_on(heard)

    def _pass_on(self, heard):
        if heard.kind == "keyword":
            if heard.recognition.keyword == self.wake_word:
                self._awake_until, self._rest_until = heard.end + PATIENCE_SECONDS, heard.end + REST_SECONDS
                self._stream.begin_utterance()  # what was said before, and the wake word, are no part of a command
                yield StreamEvent("wake_word", heard.start, heard.end, heard.recognition)
            return
        awake = self.wake_word is None or self._awake_until is not None and heard.start <= self._awake_until
        if awake and self.wake_word is not None and _last_heard(heard) <= self._rest_until:
            return
        if awake and heard.kind == "utterance":
            self._awake_until = self._rest_until = None
            self.learnt.complete(heard.recognition)
            yield heard
        elif awake and self.partials:
            yield heard


def _last_heard(event) -> float:
    """When the last unit of an utterance ended, seconds of the stream."""
    recognition = event.recognition
    return max((word.end for word in (*recognition.words, *recognition.phone_times)), default=event.start)
