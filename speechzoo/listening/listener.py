"""Continuous audio -> wake word -> command, in bounded memory."""

from collections.abc import Iterator

import numpy as np

from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.pieces import move
from speechzoo.decoding.recognition import Recognition
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.streams.event import StreamEvent
from speechzoo.decoding.streams.wake_words import check_wake_words
from speechzoo.decoding.streams.windows import HOP_SECONDS, WINDOW_SECONDS
from speechzoo.edge.learnt import Learnt
from speechzoo.listening.voice_activity import VoiceActivity

LONGEST_SECONDS = 12.0
"""`LONGEST_SECONDS` is the length at which an utterance is cut."""
_BEFORE_SECONDS = 0.4  # kept of what precedes the first loud frame
_SHORTEST_SECONDS = 0.4  # of speech worth asking about; the rest of a wake word is shorter
SMOOTHED = 2
"""`SMOOTHED` is the number of windows whose posteriors are averaged."""
PATIENCE_SECONDS = 6.0
"""`PATIENCE_SECONDS` may pass between the wake word and the beginning of the command."""


class Listener:
    """Hears a stream: what is said, or, with a wake word, what is said after it.

    What is loud enough to be speech is found by its energy; meanwhile windows of 1.2 s are asked for the wake word
    every 0.2 s, and two in a row must agree on average. The utterance that follows, in the same breath or within 6 s,
    is recognised whole. It is none where the model has a head `speech` that hears nobody in it; a model without one
    takes whatever is loud for speech.

    Args:
        model: Best an EdgeModel; a wake word needs a `keyword` head, or a learnt word.
        commands: Decoder of a grammar, which then answers intent and slots.
        wake_word: Class of the `keyword` head or learnt word to wait for, or several of one kind; every utterance is
            recognised when None.
        threshold: Mean posterior that wakes, above 0 and at most 1; when None, the one that was measured for the word
            (`speechzoo.decoding.streams.wake_words`), or that of `learnt.words` for a learnt word.
        partials: Has to be False, because utterances are recognised whole; a `StreamListener` gives partial ones.
        learnt: What the device has learnt: voices, which say who spoke, and words, which are heard, too.
        decoder: For transcripts, as of `Recognizer.recognize`.

    Raises:
        ValueError: The model doesn't know the wake word or doesn't offer it, or partial utterances are asked for.

    Attributes:
        thresholds: Wake word -> mean posterior that wakes.

    Example:
        listener = Listener(speechzoo.EdgeModel("model.tflite"), wake_word="computer")
        for samples in microphone:
            for heard in listener.feed(samples):
                print(heard.recognition.transcript)
    """

    def __init__(self, model: Recognizer, commands: CommandDecoder | None = None,
                 wake_word: str | list[str] | None = None, threshold: float | None = None, *, partials: bool = False,
                 learnt: Learnt = Learnt(), decoder=None):
        if partials:
            raise ValueError("utterances are recognised whole, so nothing is partial; partial ones need a model that "
                             "can stream (its name ends in _streaming), and no learnt words")
        self.model, self.commands, self.wake_word, self.learnt = model, commands, wake_word, learnt
        self.spec, self.decoder = model.spec, decoder
        wake_words = [] if wake_word is None else [wake_word] if isinstance(wake_word, str) else wake_word
        words = learnt.words
        self._wakes_by_learnt_word = words is not None and set(wake_words) <= set(words.names)
        if self._wakes_by_learnt_word:
            self.thresholds = dict.fromkeys(wake_words, words.threshold if threshold is None else threshold)
        else:
            self.thresholds = check_wake_words(self.spec, wake_words, threshold)
        self.rate = self.spec["sample_rate"]
        self._activity = VoiceActivity(self.rate)
        self._audio = np.zeros(0, np.float32)  # the last seconds
        self._first = 0  # number of its first sample in the stream
        self._heard = 0  # samples that the activity detector has seen
        self._begin = None  # sample where the utterance under way begins
        self._posteriors = []
        self._asked = 0
        self._awake_until = None

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks now, as far as loudness tells: an utterance is under way."""
        return self._begin is not None

    def feed(self, samples: np.ndarray) -> Iterator[StreamEvent]:
        """Hears more of the stream.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate, any number of them.

        Yields:
            What was heard, as soon as it is known.
        """
        self._audio = np.concatenate([self._audio, np.asarray(samples, np.float32)])
        frame = self._activity.frame
        while self._heard + frame <= self._first + len(self._audio):
            speaking = self._activity.feed(self._cut(self._heard, self._heard + frame))
            self._heard += frame
            if self._begin is None and self._awake_until is not None and self._heard > self._awake_until:
                self._awake_until = None
            if speaking and self._begin is None:
                self._begin = max(self._heard - round(_BEFORE_SECONDS * self.rate), self._first)
            if self._begin is None:
                continue
            if self.wake_word is not None and self._awake_until is None:
                yield from self._listen_for_the_wake_word()
            if not speaking or self._heard - self._begin >= LONGEST_SECONDS * self.rate:
                yield from self._end_utterance()
        self._forget()

    def finish(self) -> Iterator[StreamEvent]:
        """The stream has ended: what was under way."""
        if self._begin is not None:
            yield from self._end_utterance()

    def _listen_for_the_wake_word(self):
        if self._heard - self._asked < HOP_SECONDS * self.rate:
            return
        self._asked = self._heard
        start = max(self._heard - round(WINDOW_SECONDS * self.rate), self._first)
        self._posteriors = [*self._posteriors, self._posteriors_of(self._cut(start, self._heard))][-SMOOTHED:]
        means = {word: sum(each[word] for each in self._posteriors) / SMOOTHED for word in self.thresholds}
        reached = [word for word, mean in means.items() if mean >= self.thresholds[word]]
        if reached:
            word = max(reached, key=means.get)
            self._posteriors = []
            self._awake_until = self._heard + PATIENCE_SECONDS * self.rate
            self._begin = self._heard if self._activity.speaking else None
            recognition = Recognition(keyword=word, confidence={"keyword": float(means[word])})
            yield StreamEvent("wake_word", start / self.rate, self._heard / self.rate, recognition)

    def _posteriors_of(self, window) -> dict[str, float]:
        if self._wakes_by_learnt_word:
            return self.learnt.words.scores(window)
        head = self.spec["heads"]["keyword"]
        outputs = self.model.batch_outputs([window], ["keyword"])[0]
        return dict(zip(head["classes"], class_probabilities(np.asarray(outputs["keyword"]), head)))

    def _end_utterance(self):
        begin, self._begin, self._posteriors = self._begin, None, []
        if begin is None or self.wake_word is not None and self._awake_until is None:
            return
        if self._heard - begin < (_SHORTEST_SECONDS + self._activity.hangover_seconds) * self.rate:
            return  # the rest of the wake word, or a click
        audio = self._cut(begin, self._heard)
        recognition = self.model.recognize(audio, grammar=self.commands, decoder=self.decoder)
        if recognition.speech == []:
            return  # a noise
        self._awake_until = None
        self.learnt.complete(recognition, audio)
        start = begin / self.rate
        yield StreamEvent("utterance", start, self._heard / self.rate, move(recognition, start))

    def _cut(self, start, stop):
        return self._audio[start - self._first:stop - self._first]

    def _forget(self):
        """Drops what no utterance can need any more."""
        keep = self._heard - round(max(WINDOW_SECONDS, _BEFORE_SECONDS) * self.rate)
        if self._begin is not None:
            keep = min(keep, self._begin)
        if keep > self._first:
            self._audio, self._first = self._audio[keep - self._first:], keep
