"""Audio that never ends -> a dialogue: who spoke, what follows, and when to listen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.recognizer import Recognizer
from speechzoo.dialogue.commands import OpenCommands
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.reply import Reply
from speechzoo.dialogue.speech import Speech

TAIL_SECONDS = 0.4
"""`TAIL_SECONDS` pass between the end of what is said and listening: rooms and loudspeakers go on sounding."""
PATIENCE_SECONDS = 6.0
"""`PATIENCE_SECONDS` may pass between the wake word that interrupted the assistant and what is said then."""


@dataclass(frozen=True)
class Exchange:
    """Something that was said to the assistant, or a silence, and what follows.

    Attributes:
        time: Seconds from the beginning of the stream.
        person: Who spoke, or didn't.
        sentence: What was understood; None where nothing was, or nobody spoke.
        confidence: 0 to 1; None where nobody spoke.
        reply: What follows.
    """

    time: float
    person: str
    sentence: str | None
    confidence: float | None
    reply: Reply

    def to_dict(self) -> dict:
        """Plain values that JSON can hold."""
        values = {"time": round(self.time, 2), "person": self.person, "sentence": self.sentence}
        if self.confidence is not None:
            values["confidence"] = round(self.confidence, 3)
        return {**values, **self.reply.to_dict()}


class Assistant:
    """Listens, keeps everybody's dialogue, speaks, and never hears itself.

    Half duplex is the rule: while it speaks, and `TAIL_SECONDS` longer, what the microphone gives is dropped. With
    `barge_in` it waits for the wake word meanwhile, and for nothing else; heard, it falls silent and listens.

    Without a wake word everything that is said is for the assistant, and what it doesn't understand it ignores unless
    it asked something. With one, it listens after the wake word, and for answers to its questions without it.

    Args:
        machine: The dialogue and where everybody is in it.
        commands: Reads the model's outputs.
        listener: Makes what finds utterances in a stream, such as a `Listener`: `(commands, wake word or None) ->
            listener`.
        wake_word: The wake word; None for none.
        barge_in: Whether the wake word interrupts it.
        speech: Speaks its replies; they are only given when None.
        loudspeaker: Plays them: `play(samples, sample_rate)`, which returns at once, and `stop()`.
        sample_rate: Hz of the stream.
        start: When the stream begins, seconds since 1970.

    Raises:
        ValueError: `barge_in` without a wake word.
    """

    def __init__(self, machine: Machine, commands: OpenCommands, listener: Callable, wake_word: str | None = None, *,
                 barge_in: bool = False, speech: Speech | None = None, loudspeaker=None, sample_rate: int = 16000,
                 start: float = 0.0):
        if barge_in and wake_word is None:
            raise ValueError("barging in takes a wake word, or the assistant would interrupt itself; name one")
        self.machine, self.commands, self.barge_in = machine, commands, barge_in
        self._ears = listener(commands, None)
        self._waker = None if wake_word is None else listener(commands, wake_word)
        self._speech, self._loudspeaker, self._rate, self._start = speech, loudspeaker, sample_rate, start
        self._heard = 0  # samples
        self._speaks_until = 0.0
        self._interrupted_until = 0.0

    @property
    def seconds(self) -> float:
        """How much of the stream was given, seconds."""
        return self._heard / self._rate

    @property
    def speaking(self) -> bool:
        """Whether it speaks, or has just ended."""
        return self.seconds < self._speaks_until

    def feed(self, samples: np.ndarray) -> Iterator[Exchange]:
        """Hears more of the stream.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate: a quarter of a second or so.

        Yields:
            What follows, as soon as it is known.
        """
        speaking = self.speaking
        self._heard += len(samples)
        self.commands.now = self._start + self.seconds
        if speaking and not self.barge_in:
            return
        interrupted = self.seconds < self._interrupted_until
        woken = self._waker is not None and (speaking or interrupted or not self.machine.waiting)
        listener = self._waker if woken else self._ears
        for event in listener.feed(samples):
            if event.kind == "wake_word" and self.speaking:
                self._loudspeaker_off()
            elif event.kind == "utterance" and not self.speaking:
                self._interrupted_until = 0.0
                yield from self._answer(woken)
        if not self.speaking and not listener.speaking:
            for person, reply in self.machine.tick(self.commands.now):
                self._say(person, reply)
                yield Exchange(self.seconds, person, None, None, reply)

    def finish(self) -> Iterator[Exchange]:
        """The stream has ended: what was under way."""
        woken = self._waker is not None and not self.machine.waiting
        for event in (self._waker if woken else self._ears).finish():
            if event.kind == "utterance":
                yield from self._answer(woken)

    def _answer(self, addressed):
        person, parse = self.commands.person, self.commands.parse
        reply = self.machine.hear(parse, self.commands.now, person, addressed)
        self._say(person, reply)
        self.commands.prepare(person)
        yield Exchange(self.seconds, person, parse.text if parse.accepted else None, parse.confidence, reply)

    def _say(self, person, reply):
        if reply.say is None or self._speech is None:
            return
        samples, rate = self._speech(reply.say)
        if self._loudspeaker is not None:
            self._loudspeaker.play(samples, rate)
        self._speaks_until = self.seconds + len(samples) / rate + TAIL_SECONDS
        self.machine.delay(len(samples) / rate, person)

    def _loudspeaker_off(self):
        if self._loudspeaker is not None:
            self._loudspeaker.stop()
        self._speaks_until = self.seconds
        self._interrupted_until = self.seconds + PATIENCE_SECONDS


def listener_of(model: Recognizer, threshold: float | None = None) -> Callable:
    """What an `Assistant` listens with: a `Listener` of this model, without or with a wake word.

    Args:
        model: Best an EdgeModel.
        threshold: Mean posterior of the wake word that wakes; the measured one when None.
    """
    from speechzoo.listening.listener import Listener

    return lambda commands, wake_word: Listener(model, commands, wake_word, threshold if wake_word else None)
