"""What one model does for a home: writes what is said, hears its wake words, understands commands."""

import numpy as np
from wyoming.info import (AsrModel, AsrProgram, Attribution, Info, IntentModel, IntentProgram, WakeModel, WakeProgram)

from speechzoo import __version__
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.commands.parse import Parse
from speechzoo.decoding.commands.text_parser import TextParser
from speechzoo.decoding.decoder import Decoder
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognition import recognize_outputs
from speechzoo.decoding.recognizer import MAXIMUM_SECONDS, Recognizer
from speechzoo.decoding.streams.wake_words import check_wake_words, wake_thresholds


class Voice:
    """One model and how its outputs are read, for all clients. It serves one thread at a time, as its model does.

    Args:
        model: Best an EdgeModel.
        commands: Decoder of a grammar: the service understands its commands, and transcripts are its sentences.
        decoder: Of what is no command, as of `Recognizer.recognize`.
        wake_words: Those that it answers to; all that the model offers when None.
        threshold: Mean posterior of a wake word that counts, above 0 and at most 1; the measured ones when None.
        language: ISO 639-1.
        conversing: A `speechzoo.wyoming.conversing.Conversing`, which takes PyYAML to import: it answers transcripts
            with dialogues of several turns in place of the grammar's intents. `commands` are then all its sentences,
            for what is spoken.

    Attributes:
        wake_words: Names of the wake words.
        writes: Whether it can transcribe at all.
        streams: Whether a transcript is written while it is spoken: the model can stream, and nothing that needs the
            whole sentence, a grammar or a decoder, comes behind it.

    Raises:
        ValueError: The model doesn't know a wake word or doesn't offer it, or there is nothing that it could answer.
    """

    def __init__(self, model: Recognizer, commands: CommandDecoder | None = None, decoder=None,
                 wake_words: list[str] | None = None, threshold: float | None = None, language: str = "en",
                 conversing=None):
        self.conversing = conversing
        self.model, self.commands, self.decoder, self.threshold, self.language = (model, commands, decoder, threshold,
                                                                                  language)
        self.spec = model.spec
        check_wake_words(self.spec, wake_words or (), threshold)
        self.wake_words = wake_words or list(wake_thresholds(self.spec["heads"].get("keyword", {}), threshold))
        self._head = (find_head(self.spec, type="ctc", label="transcript")
                      or find_head(self.spec, type="seq2seq", label="transcript"))
        self.writes = self._head is not None or commands is not None or isinstance(decoder, Decoder)
        self.streams = "stream" in self.spec and self._head is not None and commands is None and decoder is None
        self._parser = None if commands is None else TextParser(commands.compiled, language)
        if not self.writes and not self.wake_words:
            raise ValueError("the model neither writes nor knows a wake word; it has: " + ", ".join(self.spec["heads"]))

    def transcribe(self, samples: np.ndarray) -> str:
        """What was said.

        Args:
            samples: float32 (samples,) in [-1, 1] at the model's sample rate.

        Returns:
            The sentence of the grammar that was recognised, word for word, so that its intent is found again in the
            text; for speech that is no command, and without a grammar, what the decoder writes; empty when nothing.

        Raises:
            ValueError: More than two minutes.
        """
        if not len(samples):
            return ""
        if len(samples) > self.maximum_samples:
            raise ValueError(f"more than {MAXIMUM_SECONDS:g} s of audio at once; send it in parts")
        outputs = self.model.batch_outputs([samples])[0]
        if self.commands is not None:
            parse = self.commands(outputs)
            if parse.accepted:
                return parse.text
        # Without a head for transcripts, a decoder may still find the words in another head's output.
        heads = None if self._head is None else [self._head]
        return recognize_outputs(outputs, self.spec, heads, self.decoder,
                                 steps=self.model.decode_steps).transcript or ""

    @property
    def maximum_samples(self) -> int:
        """Samples of the longest recording that `transcribe` takes."""
        return round(MAXIMUM_SECONDS * self.spec["sample_rate"])

    def understand(self, text: str) -> Parse:
        """The command that a text is; not accepted when it is none, or there is no grammar."""
        return Parse() if self._parser is None else self._parser(text)

    def info(self) -> Info:
        """The answer to `describe`: what is offered."""
        def about(name, description, **more):
            return {"name": name, "description": description, "installed": True, "version": __version__,
                    "attribution": Attribution("speechzoo", ""), **more}

        languages = {"languages": [self.language]}
        info = Info()
        if self.writes:
            model = AsrModel(**about(self.spec["name"], "Speech to text", **languages))
            info.asr = [AsrProgram(**about("speechzoo", "Speech to text on this device"), models=[model],
                                   supports_transcript_streaming=self.streams)]
        if self.wake_words:
            words = [WakeModel(**about(word, word, phrase=word, **languages)) for word in self.wake_words]
            info.wake = [WakeProgram(**about("speechzoo", "Wake words on this device"), models=words)]
        if self.commands is not None or self.conversing is not None:
            what = "Commands of a grammar" if self.conversing is None else "A dialogue"
            name = self.commands.compiled.name if self.conversing is None else self.conversing.machine.dialogue.name
            info.intent = [IntentProgram(**about("speechzoo", f"{what}, on this device"),
                                         models=[IntentModel(**about(name, what, **languages))])]
        return info
