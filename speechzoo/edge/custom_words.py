"""Words that a device learns from a few recordings, with a file's signature `learn`."""

from pathlib import Path

import numpy as np

from speechzoo.decoding.streams.windows import WINDOW_SECONDS
from speechzoo.edge import signatures
from speechzoo.edge.edge_model import check_exported
from speechzoo.edge.examples import read_examples, read_samples
from speechzoo.edge.learnt_file import probe_sound, read_learnt, write_learnt

WORD_THRESHOLD = 0.8
"""`WORD_THRESHOLD` is the least score of a word; `benchmarks/quality/few_shot.py` measures what it costs."""
STEPS = 100
"""`STEPS` of gradient descent take a fraction of a second; after them the loss hardly falls any more."""
_PROTOTYPE_COSINE = 0.6  # what the mean of a word's recordings alone would require


class CustomWords:
    """New keywords, from 1 to 10 recordings each.

    Each word has a detector, which begins as the mean of its recordings (a prototype) and is trained against the other
    words and the background that the file holds. The recordings' embeddings are kept, not the recordings.

    Args:
        model: An `EdgeModel` of a file with the signature `learn`.
        threshold: Score from which on a word is heard, 0 to 1.
        steps: Of training; with 0 the prototypes decide.

    Attributes:
        maximum_seconds: Longer recordings are refused.
        weights: The layer of detectors, a row per word: `kernel` (words, embedding size) and `bias` (words,).

    Raises:
        ValueError: The model is no exported file, or one that can't learn.

    Example:
        words = CustomWords(speechzoo.EdgeModel("model.tflite"))
        words.add("abracadabra", ["1.wav", "2.wav", "3.wav", "4.wav", "5.wav"])
        words.recognize("again.wav")  # ("abracadabra", 0.97)
    """

    maximum_seconds = 5.0

    def __init__(self, model, threshold: float = WORD_THRESHOLD, steps: int = STEPS):
        check_exported(model, "learn words", signatures.WORDS_LEARN)
        self.model, self.threshold, self.steps = model, threshold, steps
        self.sample_rate = model.spec["sample_rate"]
        self._empty = {name: np.zeros_like(value) for name, value in model.run(signatures.WORDS_SAVE).items()}
        self.weights = self._empty
        self._examples = {}

    @property
    def names(self) -> list[str]:
        """The words that have been learnt."""
        return list(self._examples)

    def add(self, word: str, recordings: list, sample_rate: int | None = None):
        """Learns a word; one of that name is replaced.

        Args:
            word: Its name.
            recordings: 1 to 10, better 5, in which it is said once and nothing else: paths, bytes of files or arrays.
            sample_rate: Hz of arrays. Default: the model's own.

        Raises:
            AudioError: A recording can't be used, is silent, or is longer than 5 s.
            ValueError: No name, no or too many recordings, or no room for another word.
        """
        examples = read_examples(word, recordings, sample_rate, self.sample_rate, self.maximum_seconds)
        room = len(self._empty["bias"])
        if word not in self._examples and len(self._examples) == room:
            raise ValueError(f"no room for '{word}': {room} words are learnt; forget one of {', '.join(self.names)}")
        self._examples[word] = np.array([self._embed(samples) for samples in examples])
        self._train()

    def forget(self, word: str):
        """Forgets a word.

        Raises:
            ValueError: It hasn't been learnt.
        """
        if word not in self._examples:
            raise ValueError(f"'{word}' hasn't been learnt; learnt are: {', '.join(self.names) or 'none'}")
        del self._examples[word]
        self._train()

    def scores(self, audio, sample_rate: int | None = None) -> dict[str, float]:
        """Word -> score from 0 to 1, of a recording of at most 5 s."""
        self._restore()
        samples = read_samples(audio, sample_rate, self.sample_rate, self.maximum_seconds)
        audio = word_window(samples, self.sample_rate)[None]
        scores = self.model.run(signatures.WORDS_INFER, audio=audio)["scores"][0]
        return dict(zip(self._examples, map(float, scores)))

    def recognize(self, audio, sample_rate: int | None = None) -> tuple[str | None, float]:
        """Which word is said, or None for anything else; and the best word's score."""
        scores = self.scores(audio, sample_rate)
        word = max(scores, key=scores.get, default=None)
        return (word if word and scores[word] >= self.threshold else None), scores.get(word, 0.0)

    def save(self, path: str | Path):
        """Writes the words, whole or not at all.

        Raises:
            OSError: It can't be written; what was there is still there.
        """
        arrays = {"names": np.array(self.names, np.str_), "counts": np.array([*map(len, self._examples.values())], int),
                  "examples": np.concatenate([self._empty["kernel"][:0], *self._examples.values()]), **self.weights}
        write_learnt(path, "words", self.model.spec["name"], self._embed(probe_sound(self.sample_rate)), arrays)

    def load(self, path: str | Path):
        """Replaces what has been learnt by what `save` wrote.

        Raises:
            LearntFileError: No such file, a damaged one, or the words of another model.
            OSError: It can't be read.
        """
        probe = self._embed(probe_sound(self.sample_rate))
        shapes = {"names": ("n",), "counts": ("n",), "examples": ("m", len(probe)),
                  **{name: value.shape for name, value in self._empty.items()}}
        arrays = read_learnt(path, "words", probe, shapes)
        parts = np.split(arrays["examples"], np.cumsum(arrays["counts"])[:-1])
        self._examples = dict(zip(map(str, arrays["names"]), parts))
        self.weights = {name: arrays[name] for name in self._empty}

    def _train(self):
        """Learns all words anew from their recordings: what was forgotten leaves no trace."""
        kernel, bias = (value.copy() for value in (self._empty["kernel"], self._empty["bias"]))
        for row, examples in enumerate(self._examples.values()):
            mean = examples.mean(axis=0)
            kernel[row], bias[row] = mean / np.linalg.norm(mean), -_PROTOTYPE_COSINE
        self.weights = {"kernel": kernel, "bias": bias}
        if not self._examples or not self.steps:
            return
        self._restore()
        rows = np.repeat(np.arange(len(self._examples)), [len(examples) for examples in self._examples.values()])
        embedding, target = np.concatenate([*self._examples.values()]), np.eye(len(bias), dtype=np.float32)[rows]
        for _ in range(self.steps):
            self.model.run(signatures.WORDS_LEARN, embedding=embedding, target=target)
        self.weights = self.model.run(signatures.WORDS_SAVE)

    def _restore(self):
        # The file's variables are the interpreter's: whoever used them last has left theirs.
        self.model.run(signatures.WORDS_RESTORE, **self.weights)

    def _embed(self, samples) -> np.ndarray:
        audio = word_window(samples, self.sample_rate)[None]
        return self.model.run(signatures.WORDS_EMBED, audio=audio)["embedding"][0]


def word_window(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The loudest 1.2 s of a recording, or, of a shorter one, the recording amid near silence.

    A network with attention hears a word differently amid more silence or less.

    Args:
        samples: float32 (samples,).
        sample_rate: Hz.
    """
    size = round(WINDOW_SECONDS * sample_rate)
    if len(samples) >= size:
        energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        start = int(np.argmax(energy[size:] - energy[:-size]))
        return samples[start:start + size]
    window = 1e-4 * np.random.default_rng(0).standard_normal(size).astype(np.float32)
    start = (size - len(samples)) // 2
    window[start:start + len(samples)] += samples
    return window
