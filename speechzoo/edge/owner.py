"""How an owner speaks, learnt on the device from what they are known to have said, with a file's signature `adapt`."""

import functools
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.viterbi import check_room, occupancies
from speechzoo.decoding.heads import find_head
from speechzoo.edge import signatures
from speechzoo.edge.edge_model import check_exported
from speechzoo.edge.examples import read_samples
from speechzoo.edge.learnt_file import probe_sound, read_learnt, write_learnt
from speechzoo.text.letter_to_sound import default_lexicon
from speechzoo.text.normalize import normalize_words
from speechzoo.text.spelling import Lexicon, Spelling

FRAMES_PER_STEP = 50
"""`FRAMES_PER_STEP` frames are in a training step. TFLite lacks operators for gradients of tensors of open shapes."""
EPOCHS = 5
LEARNING_RATE = 0.1
"""`LEARNING_RATE` is for a loss of one sentence in nats per unit; `benchmarks/quality/owner.py` measures its effect."""


def adapted_head(spec: dict) -> str | None:
    """The head that learns what was said: one that writes phones, else any that writes; None where there is none."""
    return find_head(spec, type="ctc", kind="phones") or find_head(spec, type="ctc")


class Owner:
    """Makes an exported file hear one person better, from recordings whose words are known: confirmed commands.

    Scales and offsets of one block's features are tuned, 864 numbers of `mtl_conformer_small`, no other weight. The
    file stays as it is: the model object hears as adapted, whatever it is asked, until `forget`. No recording is kept.

    Args:
        model: An `EdgeModel` of a file with the signature `adapt`.
        lexicon: Word -> pronunciations. By default CMUdict where the package `pocketsphinx` is installed, and guesses
            from the letters for words that it lacks.
        language: ISO 639-1, of what is said; how figures and signs are spoken.

    Attributes:
        maximum_seconds: Longer recordings are refused.
        affine: What is tuned: float32 (numbers,).

    Raises:
        ValueError: The model is no exported file, or one that can't adapt.

    Example:
        owner = Owner(speechzoo.EdgeModel("model.tflite"))
        owner.adapt([("turn on the light", "1.wav"), ("what time is it", "2.wav")])
        owner.save("owner.npz")
    """

    maximum_seconds = 20.0

    def __init__(self, model, lexicon: Lexicon | None = None, language: str = "en"):
        check_exported(model, "adapt to their owners", signatures.OWNER_ADAPT)
        self.model, self.language, self._lexicon = model, language, lexicon
        self.sample_rate = model.spec["sample_rate"]
        self._original = model.run(signatures.OWNER_SAVE)["original"]
        self._restore(self._original)

    def adapt(self, examples: list, sample_rate: int | None = None) -> tuple[float, float]:
        """Learns from what was said; on top of what was learnt before.

        Args:
            examples: (text, recording) of each utterance, better ten than three: text as people write, and a path, the
                bytes of a file or an array.
            sample_rate: Hz of arrays. Default: the model's own.

        Returns:
            How unlikely the texts were to the model before and afterwards, nats per unit.

        Raises:
            AudioError: A recording can't be used, is longer than 20 s, or too short for its text.
            ValueError: No examples, or a text with no words or with one that can't be pronounced.
        """
        if not examples:
            raise ValueError("nothing to learn from; give texts and recordings of them")
        self._restore(self.affine)
        utterances = [self._utterance(text, recording, sample_rate) for text, recording in examples]
        aligned = before = [_align(self._run(frames), units) for frames, units in utterances]
        for _ in range(EPOCHS):
            # The logits before its last step say where in a sentence its units stand.
            aligned = [_align(self._run(frames, target, LEARNING_RATE / len(units)), units)
                       for (frames, units), (target, _) in zip(utterances, aligned)]
        after = [_align(self._run(frames), units) for frames, units in utterances]
        self.affine = self.model.run(signatures.OWNER_SAVE)["affine"]
        count = sum(len(units) for _, units in utterances)
        return tuple(-sum(score for _, score in each) / count for each in (before, after))

    def logits(self, audio: np.ndarray) -> np.ndarray:
        """What the head that learns hears, as adapted: (frames, units + 1).

        Args:
            audio: float32 (samples,) at the model's sample rate.
        """
        return self._run(self._frames(audio))

    def forget(self):
        """Forgets what was learnt: the model hears as the file was made."""
        self._restore(self._original)

    def save(self, path: str | Path):
        """Writes what was learnt, whole or not at all.

        Raises:
            OSError: It can't be written; what was there is still there.
        """
        write_learnt(path, "an owner", self.model.spec["name"], self._probe(), {"affine": self.affine})

    def load(self, path: str | Path):
        """Replaces what was learnt by what `save` wrote.

        Raises:
            LearntFileError: No such file, a damaged one, or what another model has learnt.
            OSError: It can't be read.
        """
        self._restore(read_learnt(path, "an owner", self._probe(), {"affine": self._original.shape})["affine"])

    @functools.cached_property
    def _head(self) -> dict:
        """Spec of the head that learns."""
        return self.model.spec["heads"][adapted_head(self.model.spec)]

    @functools.cached_property
    def _spelling(self) -> Spelling:
        """Made when something is learnt: hearing as adapted takes no lexicon, which would have to be read."""
        return Spelling(self._head, default_lexicon() if self._lexicon is None else self._lexicon, "what was said")

    def _restore(self, affine):
        self.affine = affine
        self.model.run(signatures.OWNER_RESTORE, affine=affine)

    def _utterance(self, text, recording, sample_rate):
        words = normalize_words(text, self.language).split()
        if not words:
            raise ValueError(f"'{text}': no words; a text says what is heard in its recording")
        separator = [] if self._spelling.separator is None else [self._spelling.separator]
        units = [unit for word in words for unit in (*separator, *self._spelling.spell(word)[0])][len(separator):]
        samples = read_samples(recording, sample_rate, self.sample_rate, self.maximum_seconds)
        frames = self._frames(samples)
        try:
            check_room(len(frames), units)
        except ValueError as error:
            raise AudioError(f"'{text}': its recording is too short for it ({error})") from None
        return frames, units

    def _frames(self, samples) -> np.ndarray:
        """All that comes before what is tuned, of a recording: (frames, size)."""
        return self.model.run(signatures.OWNER_FRAMES, audio=self.model.completed(samples)[None])["frames"][0]

    def _run(self, frames, target=None, rate=0.0) -> np.ndarray:
        """Logits (frames, units + 1); and a step towards the target, if there is one."""
        target = np.zeros((len(frames), len(self._head["units"]) + 1), np.float32) if target is None else target
        logits = []
        for first in range(0, len(frames), FRAMES_PER_STEP):
            step = slice(first, first + FRAMES_PER_STEP)
            parts = {"frames": frames[step], "target": target[step]}
            padding = FRAMES_PER_STEP - len(parts["frames"])
            padded = {name: np.pad(part, ((0, padding), (0, 0)))[None] for name, part in parts.items()}
            logits.append(self.model.run(signatures.OWNER_ADAPT, **padded, rate=np.float32(rate))["logits"][0])
        return np.concatenate(logits)[:len(frames)]

    def _probe(self) -> np.ndarray:
        mean = self._frames(probe_sound(self.sample_rate)).mean(axis=0)
        return mean / np.linalg.norm(mean)


def _align(logits, units) -> tuple[np.ndarray, float]:
    """`occupancies` of the units: the target of a step (frames, units + 1), and how likely the units are."""
    return occupancies(log_softmax(logits), units)
