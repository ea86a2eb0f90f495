"""Which word is spoken, of words cut out of sentences: an auxiliary task for models of single words."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.frame_head import FrameHead
from speechzoo.heads.frame_labels import FrameAccuracy, frame_pairs, mean_cross_entropy
from speechzoo.text.units import UNKNOWN_CLASS


@keras.saving.register_keras_serializable(package="speechzoo")
class WordsHead(FrameHead):
    """Logits of words at each frame, for sentences whose words have times.

    Each word of a sentence is an example of its own: the mean of the logits over its frames tells it from the others.
    So every recording of sentences teaches a backbone to tell words apart, which keywords and words learnt from a few
    recordings gain from. The head is of no use afterwards and isn't part of the models that `speechzoo.load` gives.

    Args:
        words: The words; those of the training data when None.
        dropout: Dropout rate of the frames that enter.

    Returns:
        Logits (batch, frames, 1 + words); in the padding `_unknown_`, which no example has, has probability one.

    Example:
        >>> head = WordsHead(["it", "was"], name="words")
        >>> head.encode([["_unknown_", 0.2], ["was", 0.5], ["strange", 1.1]]).tolist()
        [[1, 20], [3, 50], [1, 110]]
    """

    auxiliary = True
    open_classes = True

    def __init__(self, words: list[str] | None = None, dropout: float = 0.1, **kwargs):
        super().__init__([UNKNOWN_CLASS, *(words or [])], dropout, **kwargs)

    @staticmethod
    def names_in(value) -> list[str]:
        pairs = [pair for pair in value if isinstance(pair, list) and pair] if isinstance(value, list) else []
        return [str(pair[0]) for pair in pairs if pair[0] != UNKNOWN_CLASS]

    def adapt(self, names=None, class_counts=None):
        if names is not None and len(self.classes) == 1:
            self.classes = [UNKNOWN_CLASS, *map(str, names)]
            self.logits.units = len(self.classes)

    @property
    def has_loss(self) -> bool:
        return len(self.classes) > 1

    def encode(self, value) -> np.ndarray:
        known = set(self.classes)
        try:
            value = [[word if word in known else UNKNOWN_CLASS, end] for word, end in value]
        except (TypeError, ValueError):
            raise ValueError(f"{self.label} of head '{self.name}': expected [word, end in seconds] pairs, got "
                             f"{value!r}") from None
        if not self.names_in(value):
            raise ValueError(f"{self.label} of head '{self.name}': none of its {len(self.classes) - 1} words")
        return super().encode(value)

    def loss(self):
        return WordCrossEntropy(name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [WordAccuracy(name=f"{self.name}_accuracy")]

    def spec(self):
        return {"type": "words", "label": self.label, "words": self.classes[1:]}

    def get_config(self):
        return {**super().get_config(), "words": self.classes[1:] or None}


def word_logits(pairs, logits):
    """The mean logits of each word, the class of each, and which of them are words with frames.

    Args:
        pairs: int32 (batch, pairs, 2), from `WordsHead.encode`, padded with 0.
        logits: (batch, frames, classes), with padding as `mark_padding` marks it.

    Returns:
        float32 (batch, pairs + 1, classes), int32 (batch, pairs + 1), float32 (batch, pairs + 1).
    """
    pairs, pair, valid = frame_pairs(pairs, logits)
    numbers = pairs[..., 0]
    places = ops.arange(ops.shape(numbers)[1], dtype="int32")
    members = ops.cast(pair[:, None, :] == places[None, :, None], "float32") * valid[:, None, :]
    count = ops.sum(members, axis=-1)
    # Padding is too low for sums.
    means = ops.matmul(members, ops.where(valid[..., None] > 0, logits, 0.0)) / ops.maximum(count, 1.0)[..., None]
    word = ops.logical_and(numbers > 1, count > 0)
    return means, ops.maximum(numbers - 1, 0), ops.cast(word, "float32")


@keras.saving.register_keras_serializable(package="speechzoo")
class WordCrossEntropy(keras.losses.Loss):
    """Cross entropy of the words of a sentence, averaged over them: nats.

    Call arguments:
        y_true: int32 (batch, pairs, 2): number of a class from 1, and where it ends; padded with 0.
        y_pred: logits (batch, frames, classes), as a `WordsHead` gives them.
    """

    def __init__(self, name="word_cross_entropy", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        """Targets int32 (batch, pairs, 2), logits (batch, frames, classes) -> float32 (batch,), nats per word."""
        return mean_cross_entropy(*word_logits(y_true, y_pred))


@keras.saving.register_keras_serializable(package="speechzoo")
class WordAccuracy(FrameAccuracy):
    """Share of the words that are the most likely one; arguments as `WordCrossEntropy`."""

    def __init__(self, name="word_accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def places(self, y_true, y_pred):
        return word_logits(y_true, y_pred)
