"""What heads with a label for every frame learn by: targets, loss and metric."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.padding import not_padding

WHOLE = 10_000
"""`WHOLE` is where the label of a whole recording ends, hundredths of a second. Any number would do: times are
stretched to the length of the recording; a large one leaves room for finer times when silence follows."""


def encode_frames(value, classes: list[str]) -> np.ndarray:
    """A label with times as the target of `FrameCrossEntropy`.

    Args:
        value: [class, end in seconds] pairs by rising end, or one class for the whole recording.
        classes: Names of the classes.

    Returns:
        int32 (pairs, 2): numbers of the classes from 1, and ends in hundredths of a second.

    Raises:
        ValueError: Neither of the two, or a class that is not among `classes`.
    """
    if isinstance(value, str):
        value = [[value, WHOLE / 100]]
    try:
        names, ends = [name for name, _ in value], [round(100 * end) for _, end in value]
    except (TypeError, ValueError):
        raise ValueError(f"expected a class or [class, end in seconds] pairs, got {value!r}") from None
    for name in names:
        if name not in classes:
            raise ValueError(f"'{name}' is not among {', '.join(classes)}")
    return np.array([(classes.index(name) + 1, end) for name, end in zip(names, ends)], np.int32).reshape(-1, 2)


def frame_targets(pairs, logits):
    """The class of each frame, int32 (batch, frames), and which frames are not padding, float32 (batch, frames).

    Args:
        pairs: int32 (batch, pairs, 2), from `encode_frames`, padded with 0. The last end is that of the recording:
            times are stretched to the frames that are not padding, so that a changed speed does no harm.
        logits: (batch, frames, classes), with padding as `mark_padding` marks it.
    """
    pairs, pair, valid = frame_pairs(pairs, logits)
    # Padded frames come after the last pair, and rows without a label have none: any class will do there.
    return ops.maximum(ops.take_along_axis(pairs[..., 0], pair, axis=1) - 1, 0), valid


def frame_pairs(pairs, logits):
    """Which pair each frame belongs to; arguments as of `frame_targets`.

    Returns:
        The pairs and an empty one behind them, int32 (batch, pairs + 1, 2); the number of the one that the middle of
        each frame lies in, int32 (batch, frames); which frames are not padding, float32 (batch, frames).
    """
    # One more than there are, so that a batch without labels has something to take from.
    pairs = ops.pad(ops.cast(pairs, "int32"), ((0, 0), (0, 1), (0, 0)))
    numbers, ends = pairs[..., 0], ops.cast(pairs[..., 1], "float32")
    valid = ops.cast(not_padding(logits), "float32")
    middle = ops.cast(ops.arange(ops.shape(logits)[1], dtype="int32"), "float32")[None, :] + 0.5
    time = middle / ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0) * ops.max(ends, axis=1, keepdims=True)
    ended = ops.logical_and(ends[:, None, :] <= time[:, :, None], numbers[:, None, :] > 0)
    return pairs, ops.sum(ops.cast(ended, "int32"), axis=-1), valid


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameCrossEntropy(keras.losses.Loss):
    """Cross entropy at each frame, averaged over the frames of an example: nats.

    Call arguments:
        y_true: int32 (batch, pairs, 2): number of a class from 1, and where it ends; padded with 0.
        y_pred: logits (batch, frames, classes), as a `FrameHead` gives them.
    """

    def __init__(self, name="frame_cross_entropy", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        """Targets int32 (batch, pairs, 2), logits (batch, frames, classes) -> float32 (batch,), nats per frame."""
        target, valid = frame_targets(y_true, y_pred)
        return mean_cross_entropy(y_pred, target, valid)


def mean_cross_entropy(logits, target, counts):
    """Logits (batch, places, classes), classes int32 and weights float32 (batch, places) -> means (batch,), nats."""
    log_probabilities = ops.take_along_axis(ops.log_softmax(logits), target[..., None], axis=-1)[..., 0]
    return -ops.sum(log_probabilities * counts, axis=-1) / ops.maximum(ops.sum(counts, axis=-1), 1.0)


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameAccuracy(keras.metrics.Metric):
    """Share of the frames whose most likely class is the labelled one; arguments as `FrameCrossEntropy`."""

    def __init__(self, name="frame_accuracy", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.right = self.add_variable(shape=(), initializer="zeros", name="right")
        self.frames = self.add_variable(shape=(), initializer="zeros", name="frames")

    def places(self, y_true, y_pred):
        """Logits (batch, places, classes), the class of each place, and which places count."""
        return y_pred, *frame_targets(y_true, y_pred)

    def update_state(self, y_true, y_pred, sample_weight=None):
        logits, target, valid = self.places(y_true, y_pred)
        if sample_weight is not None:
            valid = valid * ops.cast(sample_weight, "float32")[:, None]
        right = ops.cast(ops.cast(ops.argmax(logits, axis=-1), "int32") == target, "float32")
        self.right.assign(self.right + ops.sum(right * valid))
        self.frames.assign(self.frames + ops.sum(valid))

    def result(self):
        return self.right / ops.maximum(self.frames, 1.0)
