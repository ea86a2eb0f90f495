"""A causal model's outputs, step by step -> words as they are said, keywords, and where utterances end."""

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.pieces import move
from speechzoo.decoding.recognition import Recognition, make_decoders, read_outputs
from speechzoo.decoding.streams.event import StreamEvent
from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.decoding.streams.wake_words import wake_thresholds
from speechzoo.text.units import BLANK_INDEX

LONGEST_SECONDS = 12.0
"""`LONGEST_SECONDS` is the length at which an utterance is cut."""
ENDPOINT_SECONDS = 0.8
"""`ENDPOINT_SECONDS` of blank frames end an utterance."""
REFRACTORY_SECONDS = 1.0
"""No keyword follows another within `REFRACTORY_SECONDS`, nor before the posterior has fallen."""
_BEFORE_SECONDS = 0.4  # kept of what precedes an utterance's first unit
SMOOTHING_SECONDS = 0.16
"""`SMOOTHING_SECONDS` is the time over which the posteriors of keywords are averaged."""


class Stream:
    """Hears one stream. `EdgeModel.stream` and `MultiTaskModel.stream` make it.

    Utterances are found by the model's `ctc` head: one begins with the first unit that is not blank and is over after
    0.8 s of blanks. Frames of a causal model never change afterwards, so the greedy transcript only ever grows; what
    may still change is its last word, until the next one begins. Heads that answer for a whole utterance begin anew
    with each; a `keyword` head hears all of the stream. `frame_classifier` heads answer with the utterance.

    Args:
        step: As of `Stepper`.
        state: The state of a stream that begins.
        spec: The model's spec; `spec["stream"]` says how it steps.
        decoder: Of the transcripts of whole utterances, as of `recognize_outputs`; greedy when None, as partial ones
            always are.
        commands: Decoder of a grammar, which then answers intent and slots of utterances.
        threshold: Mean posterior of a keyword that counts, above 0 and at most 1; when None, that which was measured
            for the word (`speechzoo.decoding.streams.wake_words`).
        decode_steps: Of the model, as `Recognizer.decode_steps`: heads of type `seq2seq` answer whole utterances.

    Example:
        stream = speechzoo.EdgeModel("model.tflite").stream()
        for samples in microphone:
            for heard in stream.feed(samples):
                print(heard.kind, heard.recognition.transcript)
    """

    def __init__(self, step, state: dict[str, np.ndarray], spec: dict, decoder=None, commands=None,
                 threshold: float | None = None, decode_steps: dict | None = None):
        self.spec, self.decoder, self.commands = spec, decoder, commands
        self._decoders = make_decoders(spec, None, decoder, commands, decode_steps)
        self._stepper = Stepper(step, state, spec["stream"]["step_samples"])
        self._step_seconds = spec["stream"]["step_samples"] / spec["sample_rate"]
        self._framewise = [name for name, head in spec["heads"].items() if answer_kind(head).framewise]
        # The head that finds utterances: the transcript's, or another that writes units.
        self._leader = find_head(spec, type="ctc", label="transcript") or find_head(spec, type="ctc")
        self._keyword = find_head(spec, type="classifier", label="keyword")
        head = spec["heads"].get(self._keyword, {})
        least = wake_thresholds(head, threshold)
        self._thresholds = np.array([least.get(name, np.inf) for name in head.get("classes", [])])
        self._seconds = 0.0
        self._logits = {name: [] for name in self._framewise}  # of the utterance, or of what may precede one
        self._begin = 0.0  # second of their first frame
        self._speaking = False
        self._blank_frames = 0
        self._last_text = None
        self._idle_steps = 0
        self._posteriors = []
        self._armed = True
        self._deaf_until = 0.0

    @property
    def seconds(self) -> float:
        """How much has been heard."""
        return self._seconds

    def feed(self, samples: np.ndarray) -> list[StreamEvent]:
        """Hears more of the stream.

        Args:
            samples: (samples,), floats in [-1, 1] at the model's sample rate; any number of them.

        Returns:
            What became known: partial utterances when their transcript has grown, utterances that are over, keywords.

        Raises:
            ValueError: Samples of another shape, or not finite; the model's outputs are not finite.
        """
        return [heard for outputs in self._stepper.feed(samples) for heard in self._read(outputs)]

    def finish(self) -> list[StreamEvent]:
        """The stream has ended: what was under way."""
        heard = [heard for outputs in self._stepper.finish() for heard in self._read(outputs)]
        if self._speaking:
            heard.append(self._end_utterance())
        return heard

    def begin_utterance(self):
        """Forgets what was said so far: an utterance may begin here."""
        self._speaking, self._last_text, self._blank_frames = False, None, 0
        self._logits = {name: [] for name in self._framewise}
        self._begin = self._seconds
        self._gather_anew()

    def _read(self, outputs):
        self._seconds += self._step_seconds
        self._outputs = outputs
        if self._keyword is not None:
            yield from self._hear_keyword(outputs[self._keyword])
        if self._leader is not None:
            yield from self._hear_utterance(outputs)

    def _hear_keyword(self, logits):
        head = self.spec["heads"][self._keyword]
        smoothed = max(1, round(SMOOTHING_SECONDS / self._step_seconds))
        self._posteriors = [*self._posteriors, class_probabilities(logits, head)][-smoothed:]
        mean = sum(self._posteriors) / smoothed
        reached = mean >= self._thresholds
        if not reached.any():
            self._armed = True
            return
        # The head remembers a word for a while after it was said.
        if not self._armed or self._seconds < self._deaf_until:
            return
        self._armed, self._deaf_until = False, self._seconds + REFRACTORY_SECONDS
        best = int(np.where(reached, mean, 0.0).argmax())
        recognition = Recognition(keyword=head["classes"][best], confidence={"keyword": float(mean[best])})
        yield StreamEvent("keyword", max(0.0, self._seconds - REFRACTORY_SECONDS), self._seconds, recognition)

    def _hear_utterance(self, outputs):
        for name in self._framewise:
            self._logits[name].append(outputs[name])
        best = outputs[self._leader].argmax(axis=-1)
        units = np.flatnonzero(best != BLANK_INDEX)
        if not self._speaking:
            if not len(units):
                self._forget()
                return
            self._speaking = True
        self._blank_frames = len(best) - 1 - units[-1] if len(units) else self._blank_frames + len(best)
        frame_seconds = self.spec["heads"][self._leader]["frame_seconds"]
        if (self._blank_frames * frame_seconds >= ENDPOINT_SECONDS
                or self._seconds - self._begin >= LONGEST_SECONDS):
            yield self._end_utterance()
            return
        if len(units):
            yield from self._partial()

    def _partial(self):
        head = self.spec["heads"][self._leader]
        hypothesis = greedy_decode(np.concatenate(self._logits[self._leader]), head)
        if hypothesis.text == self._last_text:
            return
        self._last_text = hypothesis.text
        recognition = Recognition()
        answer_kind(head).read(recognition, head["label"], hypothesis, head)
        ended = hypothesis.units and head["units"][hypothesis.units[-1] - 1] == " "
        words = hypothesis.words if ended else hypothesis.words[:-1]
        stable = " ".join(word.text for word in words)
        yield StreamEvent("partial", self._begin, self._seconds, move(recognition, self._begin), stable)

    def _end_utterance(self):
        outputs = {**self._outputs, **{name: np.concatenate(self._logits[name]) for name in self._framewise}}
        recognition = move(read_outputs(outputs, self._decoders), self._begin)
        heard = StreamEvent("utterance", self._begin, self._seconds, recognition)
        self.begin_utterance()
        return heard

    def _forget(self):
        """Nobody speaks: what may precede an utterance is kept, and nothing else."""
        kept = max(1, round(_BEFORE_SECONDS / self._step_seconds))
        for name in self._framewise:
            del self._logits[name][:-kept]
        self._begin = self._seconds - len(self._logits[self._leader]) * self._step_seconds
        self._idle_steps += 1
        if self._idle_steps >= kept:
            self._gather_anew()

    def _gather_anew(self):
        """What answers for a whole utterance listens from here on."""
        self._idle_steps = 0
        for name in self.spec["stream"]["utterance_state"]:
            self._stepper.state[name] = np.zeros_like(self._stepper.state[name])
