"""Which phone is spoken at each frame: an auxiliary task with a target for every frame."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.head import Head
from speechzoo.heads.padding import mark_padding, not_padding
from speechzoo.heads.units import PHONES
from speechzoo.products import FrameDense

SILENCE = "SIL"


class AlignmentHead(Head):
    """Logits of silence and the phones at each frame, for utterances whose phones have times.

    CTC has to find out where each unit stands while it learns what it sounds like; with a few hours of transcribed
    speech most of the training goes into that. A forced alignment (`speechzoo align`) says where, so that every frame
    teaches the backbone. The head is of no use afterwards and isn't part of the models that `speechzoo.load` gives.

    The times are stretched to the length of the audio that the model hears, so that a changed speed does no harm; they
    don't follow a shift, which should be short beside a phone.

    Args:
        dropout: Dropout rate of the frames that enter.

    Returns:
        Logits (batch, frames, 1 + phones); in the padding silence has probability one.

    Reference: Sak et al. 2015, https://arxiv.org/abs/1507.06947, who start CTC networks from frame-wise targets.

    Example:
        >>> AlignmentHead(name="alignment").encode([["SIL", 0.5], ["HH", 0.58], ["AY", 0.81]]).tolist()
        [[1, 50], [17, 58], [7, 81]]
    """

    target_shape = (None, 2)
    auxiliary = True

    def __init__(self, dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = [SILENCE, *PHONES]
        self.index = {unit: number for number, unit in enumerate(self.units, 1)}
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.logits = FrameDense(len(self.units), name="logits")

    def build(self, frames_shape, *_):
        self.logits.build((None, None, frames_shape[-1]))

    def call(self, frames, lengths=None, training=False):
        return mark_padding(self.logits(self.dropout(frames, training=training)), lengths)

    def encode(self, value) -> np.ndarray:
        """[phone, end in seconds] pairs -> int32 (pairs, 2): numbers of the phones from 1, ends in hundredths."""
        try:
            return np.array([(self.index[unit], round(100 * end)) for unit, end in value], np.int32).reshape(-1, 2)
        except KeyError as error:
            raise ValueError(f"{self.label}: {error} is neither {SILENCE} nor a phone") from None

    def loss(self):
        return FrameCrossEntropy(name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [FrameAccuracy(name=f"{self.name}_accuracy")]

    def spec(self):
        return {"type": "alignment", "label": self.label, "units": self.units}

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout_rate}


class FrameCrossEntropy(keras.losses.Loss):
    """Cross entropy at each frame, averaged over the frames of an example: nats.

    Call arguments:
        y_true: int32 (batch, pairs, 2): number of a phone from 1, and where it ends; padded with 0.
        y_pred: logits (batch, frames, 1 + phones), as `AlignmentHead` gives them.
    """

    def __init__(self, name="frame_cross_entropy", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        target, valid = frame_targets(y_true, y_pred)
        log_probabilities = ops.take_along_axis(ops.log_softmax(y_pred), target[..., None], axis=-1)[..., 0]
        return -ops.sum(log_probabilities * valid, axis=-1) / ops.maximum(ops.sum(valid, axis=-1), 1.0)


class FrameAccuracy(keras.metrics.Metric):
    """Share of the frames whose most likely phone is the aligned one; arguments as `FrameCrossEntropy`."""

    def __init__(self, name="frame_accuracy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable(shape=(), initializer="zeros", name="right")
        self.frames = self.add_variable(shape=(), initializer="zeros", name="frames")

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, valid = frame_targets(y_true, y_pred)
        if sample_weight is not None:
            valid = valid * ops.cast(sample_weight, "float32")[:, None]
        right = ops.cast(ops.cast(ops.argmax(y_pred, axis=-1), "int32") == target, "float32")
        self.right.assign(self.right + ops.sum(right * valid))
        self.frames.assign(self.frames + ops.sum(valid))

    def result(self):
        return self.right / ops.maximum(self.frames, 1.0)


def frame_targets(pairs, logits):
    """The class of each frame, int32 (batch, frames), and which frames are not padding, float32 (batch, frames)."""
    # One more than there are, so that a batch without alignments has something to take from.
    pairs = ops.pad(ops.cast(pairs, "int32"), ((0, 0), (0, 1), (0, 0)))
    units, ends = pairs[..., 0], ops.cast(pairs[..., 1], "float32")
    valid = ops.cast(not_padding(logits), "float32")
    middle = ops.cast(ops.arange(ops.shape(logits)[1]), "float32")[None, :] + 0.5
    time = middle / ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0) * ops.max(ends, axis=1, keepdims=True)
    ended = ops.logical_and(ends[:, None, :] <= time[:, :, None], units[:, None, :] > 0)
    pair = ops.sum(ops.cast(ended, "int32"), axis=-1)
    # Padded frames come after the last pair, and rows without an alignment have none: any class will do there.
    return ops.maximum(ops.take_along_axis(units, pair, axis=1) - 1, 0), valid
