"""A model that is served: what it can be asked, and one request's view of it."""

import math
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechzoo.decoding.attention.special_tokens import SpecialTokens
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.settings import DecoderSettings
from speechzoo.decoding.streams.stream import Stream
from speechzoo.names import nearest
from speechzoo.server.batcher import Batcher
from speechzoo.server.errors import RequestError


class ServedModel:
    """A model under a name.

    Args:
        name: What requests call it.
        model: The model.
        batcher: Its thread.
        settings: How its transcripts are decoded, and the lexicon and threshold of commands.
        grammars: Name -> name or path of a grammar that requests may name.
        language: ISO 639 code of what is spoken, of a model that knows one language.

    Attributes:
        spec: The model's.
        transcript: Name of the head that writes transcripts; None where there is none.
        languages: ISO 639 codes that it can be asked for.
        can_translate: Whether its decoder writes English of other languages.

    Raises:
        ValueError: Settings that don't fit the model.
    """

    def __init__(self, name: str, model: Recognizer, batcher: Batcher, settings: DecoderSettings = DecoderSettings(),
                 grammars: dict[str, str | Path] | None = None, language: str = "en"):
        self.name, self.model, self.batcher, self.spec = name, model, batcher, model.spec
        self._settings, self._grammars = settings, grammars or {}
        self._commands, self._compiling = {}, threading.Lock()
        self.transcript = find_head(self.spec, label="transcript")
        self.languages, self.can_translate, self.detects = [language], False, False
        writer = find_head(self.spec, type="seq2seq", label="transcript")
        if writer is not None:
            tokens = SpecialTokens.of(self.spec["heads"][writer])
            self.languages = sorted(tokens.languages) or [language]
            self.can_translate, self.detects = "translate" in tokens.tasks, bool(tokens.languages)
        self._decoder = settings.transcripts(self.spec)

    @property
    def can_stream(self) -> bool:
        """Whether it hears step by step."""
        return "stream" in self.spec

    def transcripts(self, phrases: list[str] = (), language: str | None = None, task: str | None = None):
        """The decoder of a request's transcripts, as of `Recognizer.recognize`.

        Args:
            phrases: What is favoured.
            language: ISO 639 code of what is spoken; detected, or the model's only one, when None.
            task: `translate` or None.

        Raises:
            RequestError: The model can't do that.
        """
        if language is not None and language not in self.languages:
            raise RequestError(400, f"the model '{self.name}' doesn't know the language '{language}'; it knows: "
                                    f"{', '.join(self.languages)}", "language")
        if task == "translate" and not self.can_translate:
            raise RequestError(400, f"the model '{self.name}' can't translate; whisper_base and other multilingual "
                                    "Whisper models can", "model")
        language = language if self.detects else None
        if not phrases and language is None and task is None:
            return self._decoder
        if phrases and self._settings.dictation is not None:
            raise RequestError(400, "this server writes words of a dictionary, which takes no prompt", "prompt")
        changed = {"boost": [*self._settings.boost, *phrases], "language": language or self._settings.language,
                   "task": task or self._settings.task}
        try:
            return replace(self._settings, **changed).transcripts(self.spec)
        except ValueError as error:
            raise RequestError(400, str(error), "prompt" if phrases else None) from None

    def commands(self, grammar: str | None) -> CommandDecoder | None:
        """The decoder of the commands of a grammar, which is compiled when it is asked for the first time.

        Raises:
            RequestError: No grammar of this name, or none that the model can decode.
        """
        if grammar is None:
            return None
        if grammar not in self._grammars:
            raise RequestError(400, f"no grammar '{grammar}'; {nearest(grammar, self._grammars)}", "grammar")
        try:
            return self.compile(grammar)
        except ValueError as error:
            raise RequestError(400, f"grammar '{grammar}': {error}", "grammar") from None

    def compile(self, grammar: str) -> CommandDecoder:
        """The decoder of one of the grammars.

        Raises:
            ValueError, OSError: The grammar can't be read, or the model has no head that could decode it.
        """
        with self._compiling:
            if grammar not in self._commands:
                self._commands[grammar] = CommandDecoder(self._grammars[grammar], self.spec, self._settings.lexicon,
                                                         self._settings.threshold)
            return self._commands[grammar]

    def warm_up(self):
        """Hears noise, alone and in a batch: what a graph does at its first calls is done before anybody waits for it.
        """
        noise = np.random.default_rng(1).uniform(-0.1, 0.1, self.spec["sample_rate"]).astype(np.float32)
        for audios in ([noise], [np.tile(noise, 2)] * 2):  # TensorFlow makes one graph of all shapes at the second
            self.batcher.call(self.model.batch_outputs, audios).result()
        self.hearing(math.inf).recognize(noise, decoder=self._decoder)

    def hearing(self, maximum_seconds: float) -> "Hearing":
        """What one request, or one stream, hears with.

        Args:
            maximum_seconds: The longest recording.
        """
        return Hearing(self, maximum_seconds)


class Hearing(Recognizer):
    """A served model as one request sees it: recordings go through the model's thread, together with those of others.

    So whatever takes a `Recognizer` can be asked by many at the same time.

    Args:
        served: The model.
        maximum_seconds: The longest recording.

    Attributes:
        seconds: How much has been heard.
    """

    def __init__(self, served: ServedModel, maximum_seconds: float):
        self.spec, self.seconds = served.spec, 0.0
        self._served, self._maximum_seconds = served, maximum_seconds
        self._lock, self._waiting, self._stopped = threading.Lock(), set(), False
        self.decode_steps = {head: self._checked(step) for head, step in served.model.decode_steps.items()}

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """As `Recognizer.batch_outputs`.

        Raises:
            RequestError: More than a recording may have.
            concurrent.futures.CancelledError: Nobody waits for the answer any more.
        """
        self.seconds += sum(map(len, audios)) / self.spec["sample_rate"]
        if self.seconds > self._maximum_seconds:
            raise too_long(self._maximum_seconds)
        return [self._wait(future) for future in [self._served.batcher.outputs(audio, heads) for audio in audios]]

    def stream(self, **options) -> Stream:
        """A stream of the model, as `EdgeModel.stream`, whose steps run in the model's thread."""
        model = self._served.model
        return Stream(self._checked(model.stream_step), model.initial_state(), self.spec,
                      decode_steps=self.decode_steps, **options)

    def stop(self):
        """Nobody waits for the answer any more: what the model hasn't begun with is left out."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()

    def _checked(self, function):
        return lambda *arguments: self._wait(self._served.batcher.call(function, *arguments))

    def _wait(self, future: Future):
        with self._lock:
            if self._stopped:
                future.cancel()
            self._waiting.add(future)
        try:
            return future.result()
        finally:
            with self._lock:
                self._waiting.discard(future)


def too_long(seconds: float) -> RequestError:
    """The refusal of a recording that is longer than so many seconds."""
    return RequestError(413, f"the recording is longer than {seconds:g} s, the most that this server hears; send it "
                             "in parts", "file", "recording_too_long")
