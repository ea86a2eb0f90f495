"""The voices that a device knows: enrolled from a few recordings, told apart afterwards."""

from pathlib import Path

import numpy as np

from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognition import recognize_outputs, select_heads
from speechzoo.decoding.recognizer import MAXIMUM_SECONDS
from speechzoo.edge.examples import read_examples
from speechzoo.edge.learnt_file import probe_sound, read_learnt, write_learnt

VOICE_THRESHOLD = 0.7
"""`VOICE_THRESHOLD` is the least cosine with an enrolled person; see `benchmarks/quality/enrolment.py`."""


class Voices:
    """People, by their voices. Nothing but a mean embedding of each is kept.

    Args:
        model: A `Recognizer` with a speaker head, such as an `EdgeModel` or a `MultiTaskModel`.
        threshold: Cosine from which on a voice is accepted: higher for fewer strangers, lower for fewer refusals.

    Raises:
        ValueError: The model has no speaker head.

    Example:
        voices = Voices(speechzoo.EdgeModel("model.tflite"))
        voices.enroll("anna", ["anna_1.wav", "anna_2.wav", "anna_3.wav"])
        voices.identify("who_is_this.wav")  # ("anna", 0.83)
    """

    def __init__(self, model, threshold: float = VOICE_THRESHOLD):
        spec = model.spec
        self._head = find_head(spec, type="speaker", label="speaker") or find_head(spec, type="speaker")
        if self._head is None:
            raise ValueError(f"model '{spec['name']}' has no speaker head; it has: {', '.join(spec['heads'])}")
        self.model, self.threshold = model, threshold
        self._name, self.sample_rate = spec["name"], spec["sample_rate"]
        self._voices = {}

    @property
    def names(self) -> list[str]:
        """The people that are enrolled."""
        return list(self._voices)

    def enroll(self, name: str, recordings: list, sample_rate: int | None = None):
        """Learns somebody's voice; one of that name is replaced.

        Args:
            name: The person's.
            recordings: 1 to 10, better 3 to 5, of a sentence each: paths, bytes of files or arrays, as
                `recognize` takes them.
            sample_rate: Hz of arrays; the model's own when None.

        Raises:
            AudioError: A recording can't be used, or is silent.
            ValueError: No name, or no or too many recordings, or one in which the model hears nobody speak.
        """
        # Here the limit of `recognize` names the file; it would see an array.
        examples = read_examples(name, recordings, sample_rate, self.sample_rate, MAXIMUM_SECONDS)
        voices = [self._hear(samples) for samples in examples]
        for number, voice in enumerate(voices, 1):
            if voice is None:
                raise ValueError(f"'{name}': nobody speaks in recording {number}; record a sentence")
        mean = np.mean(voices, axis=0)
        self._voices[name] = mean / np.linalg.norm(mean)

    def forget(self, name: str):
        """Forgets somebody.

        Raises:
            ValueError: Nobody of that name is enrolled.
        """
        del self._voices[self._known(name)]

    def verify(self, name: str, audio, sample_rate: int | None = None) -> tuple[float, bool]:
        """Whether it is this person who speaks: the cosine of the voices, and whether it is enough.

        Where the model hears nobody speak, the cosine is 0.
        """
        known, voice = self._voices[self._known(name)], self._hear(audio, sample_rate)
        score = 0.0 if voice is None else float(known @ voice)
        return score, voice is not None and score >= self.threshold

    def identify(self, audio, sample_rate: int | None = None) -> tuple[str | None, float]:
        """Who speaks: a name, or None for a stranger or nobody; and the cosine with the nearest voice."""
        voice = self._hear(audio, sample_rate)
        return (None, 0.0) if voice is None else self.name_of(voice)

    def name_of(self, embedding: np.ndarray) -> tuple[str | None, float]:
        """As `identify`, of a voice that is embedded already, as `Recognition.speaker` is."""
        name, score = self.nearest(embedding)
        return (name if score >= self.threshold else None), score

    def nearest(self, embedding: np.ndarray) -> tuple[str | None, float]:
        """Whose voice is nearest to an embedding, and the cosine, however small; None where nobody is enrolled."""
        if not self._voices:
            return None, 0.0
        scores = {name: float(voice @ embedding) for name, voice in self._voices.items()}
        name = max(scores, key=scores.get)
        return name, scores[name]

    def save(self, path: str | Path):
        """Writes the voices, whole or not at all.

        Raises:
            OSError: It can't be written; what was there is still there.
        """
        probe = self._probe()
        voices = np.array(list(self._voices.values()), np.float32).reshape(-1, len(probe))
        write_learnt(path, "voices", self._name, probe, {"names": np.array(self.names, np.str_), "voices": voices})

    def load(self, path: str | Path):
        """Replaces what is known by what `save` wrote.

        Raises:
            LearntFileError: No such file, a damaged one, or the voices of another model.
            OSError: It can't be read.
        """
        probe = self._probe()
        arrays = read_learnt(path, "voices", probe, {"names": ("n",), "voices": ("n", len(probe))})
        self._voices = dict(zip(map(str, arrays["names"]), arrays["voices"]))

    def _hear(self, audio, sample_rate=None) -> np.ndarray | None:
        """The voice of whoever speaks; None where the model hears nobody."""
        result = self.model.recognize(audio, sample_rate, heads=[self._head])
        return result.answer(self.model.spec["heads"][self._head]["label"])

    def _probe(self) -> np.ndarray:
        """What the head makes of a sound, which nobody speaks in: it tells models apart."""
        spec = select_heads(self.model.spec, [self._head])
        outputs = self.model.batch_outputs([probe_sound(self.sample_rate)], [self._head])[0]
        return recognize_outputs(outputs, spec).answer(spec["heads"][self._head]["label"])

    def _known(self, name):
        if name not in self._voices:
            raise ValueError(f"nobody called '{name}' is enrolled; enrolled are: {', '.join(self.names) or 'none'}")
        return name
