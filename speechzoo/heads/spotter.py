"""A few words in audio that may hold anything else, each frame by its own short past."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.classifier import CALIBRATION_ROWS, ClassifierHead
from speechzoo.layers.stream_state import pad_time
from speechzoo.text.units import SILENCE_CLASS, UNKNOWN_CLASS

_NEVER = -1e9


@keras.saving.register_keras_serializable(package="speechzoo")
class SpotterHead(ClassifierHead):
    """The mean of the last frames, then a softmax over classes, at every frame; the one with the likeliest word counts.

    An answer is that of the frame at which one of the words is most above `_unknown_` and `_silence_`, so training
    finds by itself where in a recording its word is, and in recordings without one the worst frame is what learns:
    that is what a wake word on a device needs, whose stream has no utterances. A step needs a mean, a product and a
    comparison only, which microcontrollers have.

    Reference: Sun et al. 2016, "Max-pooling loss training of long short-term memory networks for small-footprint
    keyword spotting", https://arxiv.org/abs/1705.02411, section 2.2.

    Args:
        classes: Names of the classes: words, and `_unknown_`, `_silence_` or both.
        window: Frames that are averaged; about as long as a word.
        memory: Frames after which a word's lead over the background counts one nat less, so that an endless stream
            forgets it; 0 remembers the whole utterance.
        hidden_size, label_smoothing, dropout, focal_gamma, **kwargs: See `ClassifierHead`.

    Attributes:
        wake_words: The classes that are words.

    Returns:
        Logits (batch, classes).

    Example:
        >>> SpotterHead(["alexa", "_unknown_"], window=25, name="keyword").spec()["classes"]
        ['alexa', '_unknown_']
    """

    def __init__(self, classes: list[str], window: int = 25, memory: float = 0.0, hidden_size: int = 0,
                 label_smoothing: float = 0.0, dropout: float = 0.2, focal_gamma: float = 0.0, **kwargs):
        super().__init__(classes, memory=memory, hidden_size=hidden_size, label_smoothing=label_smoothing,
                         dropout=dropout, focal_gamma=focal_gamma, **kwargs)
        self._check("window", window, window >= 1, "1 or more frames")
        background = [name in (UNKNOWN_CLASS, SILENCE_CLASS) for name in self.classes]
        self._check("classes", self.classes, any(background) and not all(background),
                    f"words, and {UNKNOWN_CLASS}, {SILENCE_CLASS} or both")
        self.window = window
        self.wake_words = [name for name, own in zip(self.classes, background) if not own]
        # Added to logits, they leave the words, or the background.
        self._of_words = [_NEVER * own for own in background]
        self._of_background = [_NEVER * (not own) for own in background]

    @property
    def calibrated_weights(self) -> list:
        return self.optional_weights

    def calibrate(self, heard):
        """Sets `weak` alone: its memory counts in nats of its logits."""
        logits, targets = (np.concatenate(parts) for parts in zip(*heard))
        if len(targets) < CALIBRATION_ROWS:
            return False
        self.find_weak(targets, logits.argmax(axis=1))
        return True

    def make_pooling(self):
        return None

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> logits (batch, classes) of the frame that counts."""
        logits = self.window_logits(frames, training, state)
        margins = ops.max(logits + ops.array(self._of_words), -1) - ops.max(logits + ops.array(self._of_background), -1)
        positions = ops.cast(ops.arange(ops.shape(frames)[1], dtype="int32"), margins.dtype)
        if self.memory:
            margins = margins + positions / self.memory
        if lengths is not None:
            margins = ops.where(positions < ops.cast(lengths, margins.dtype)[:, None], margins, _NEVER)
        if state is not None:
            logits, margins = self._add_to_past(logits, margins, state)
        greatest = ops.max(margins, axis=1, keepdims=True)
        chosen = ops.cast(margins >= greatest, logits.dtype)
        chosen = chosen / ops.sum(chosen, axis=1, keepdims=True)
        answer = ops.sum(chosen[..., None] * logits, axis=1)
        if state is not None:
            state.write("likeliest", ops.concatenate([answer, greatest, ops.ones_like(greatest)], axis=-1))
        return answer

    def window_logits(self, frames, training=False, state=None):
        """Logits (batch, frames, classes) of the window that ends with each frame; before the first are zeros."""
        frames = pad_time(frames, self.window - 1, state=state, name="window")
        return self.classify(ops.average_pool(frames, self.window, 1, "valid", "channels_last"), training)

    def _add_to_past(self, logits, margins, state):
        """The answer so far, as one more frame in front."""
        past = state.read("likeliest", margins, (len(self.classes) + 2,))
        margin, heard = past[:, -2:-1], past[:, -1:]
        if self.memory:
            margin = margin - logits.shape[1] / self.memory
        margin = ops.where(heard > 0, margin, _NEVER)
        return (ops.concatenate([past[:, None, :-2], logits], axis=1), ops.concatenate([margin, margins], axis=1))

    def get_config(self):
        return {**super().get_config(), "window": self.window}
