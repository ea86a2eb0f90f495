"""A class at every frame: what such heads have in common."""

import keras
import numpy as np

from speechzoo.heads.frame_labels import FrameAccuracy, FrameCrossEntropy, encode_frames
from speechzoo.heads.head import Head, label_names
from speechzoo.heads.padding import mark_padding
from speechzoo.layers.quantizable import FrameDense


class FrameHead(Head):
    """Logits of classes at each frame; the first class is that of silence, and has probability one in the padding.

    A label is a list of [class, end in seconds], from the beginning of the recording to its end, or one class for the
    whole recording. Its times are stretched to the length of what the model hears, so that a changed speed does no
    harm; `speechzoo.data.retiming` makes them follow the silence and the shift of the augmentation.

    Args:
        classes: Names of the classes.
        dropout: Dropout rate of the frames that enter.

    Returns:
        Logits (batch, frames, classes).
    """

    target_shape = (None, 2)

    def __init__(self, classes: list[str], /, dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.classes = label_names(classes, f"head '{self.name}': classes")
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.logits = FrameDense(len(self.classes), dtype=self.dtype_policy, name="logits")

    def build(self, frames_shape, *_):
        self.logits.build((None, None, frames_shape[-1]))

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> logits (batch, frames, classes), the first class in the padding."""
        return mark_padding(self.logits(self.dropout(frames, training=training)), lengths)

    def encode(self, value) -> np.ndarray:
        try:
            return encode_frames(value, self.classes)
        except ValueError as error:
            raise ValueError(f"{self.label} of head '{self.name}': {error}") from None

    def loss(self):
        return FrameCrossEntropy(name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [FrameAccuracy(name=f"{self.name}_accuracy")]

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout_rate}
