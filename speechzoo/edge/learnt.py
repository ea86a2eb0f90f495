"""What a device has learnt, read from its files and added to what a model says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.decoding.recognition import Recognition
from speechzoo.decoding.recognizer import MAXIMUM_SECONDS
from speechzoo.edge.custom_words import CustomWords
from speechzoo.edge.owner import Owner
from speechzoo.edge.voices import Voices
from speechzoo.text.units import UNKNOWN_CLASS


@dataclass(frozen=True)
class Learnt:
    """What completes the recognitions of a model: voices and words that were learnt with it, or neither.

    Attributes:
        voices: `Voices`, which say who spoke.
        words: `CustomWords`, which are heard, too.

    Example:
        learnt = Learnt.open(model, voices="voices.npz", words="words.npz", owner="owner.npz")
        result = model.recognize(audio)
        learnt.complete(result, audio)
    """

    voices: Voices | None = None
    words: CustomWords | None = None

    @classmethod
    def open(cls, model, voices: str | Path | None = None, words: str | Path | None = None,
             owner: str | Path | None = None) -> "Learnt":
        """Reads what a model has learnt. With `owner`, the model hears from here on as it was adapted.

        Args:
            model: A `Recognizer`; an `EdgeModel` of a file that learns, for words, or that adapts, for an owner.
            voices, words, owner: Files that `Voices`, `CustomWords` and `Owner` saved.

        Raises:
            ValueError: A model that has no such thing to learn, or a file that can't be used with it.
            OSError: A file can't be read.
        """
        learnt_voices = learnt_words = None
        if words:
            learnt_words = CustomWords(model)
            learnt_words.load(words)
        if voices:
            learnt_voices = Voices(model)
            learnt_voices.load(voices)
        if owner:  # last, because voices and words know the model that they were learnt with by how it hears
            Owner(model).load(owner)
        return cls(learnt_voices, learnt_words)

    def complete(self, result: Recognition, audio: np.ndarray | None = None):
        """Completes a recognition: who spoke in `labels["voice"]`, and a learnt word as its `keyword`.

        Args:
            result: What the model says; changed.
            audio: float32 (samples,) at the model's rate: the recording that `result` describes. Where it isn't kept,
                as in a stream, `result.speaker` alone tells who spoke. Audio too long for a single word is none.
        """
        voices, words = self.voices, self.words
        if voices is not None and (result.speaker is not None or audio is not None):
            if result.speaker is None:  # two minutes are enough to know a voice, whatever else was asked of the audio
                name, score = voices.identify(audio[:round(MAXIMUM_SECONDS * voices.sample_rate)])
            else:
                name, score = voices.name_of(result.speaker)
            result.labels["voice"], result.confidence["voice"] = name or UNKNOWN_CLASS, max(score, 0.0)
        if words is not None and audio is not None and len(audio) <= words.maximum_seconds * words.sample_rate:
            word, score = words.recognize(audio)
            if word is not None:
                result.keyword, result.confidence["keyword"] = word, score
