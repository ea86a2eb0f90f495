"""One label for the whole utterance: what such heads have in common."""

import keras
import numpy as np

from speechzoo.heads.head import Head, label_names
from speechzoo.layers.pooling import AttentiveStatisticsPooling
from speechzoo.text.units import UNKNOWN_CLASS


class PooledHead(Head):
    """All frames become one vector, and `classify` makes logits or scores of classes of it.

    Args:
        classes: Names of the classes. With `_unknown_` among them, every other label counts as unknown.
        memory: See `Head`.

    Returns:
        Logits or scores (batch, classes); the greatest wins.
    """

    def __init__(self, classes: list[str], memory: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        classes = label_names(classes, f"head '{self.name}': classes")
        if len(set(classes)) != len(classes) or len(classes) < 2:
            raise ValueError(f"head '{self.name}': classes must be at least two different names, got {classes}")
        self._check("memory", memory, memory >= 0, "0 or more frames")
        self.classes = classes
        self.memory = memory
        self.pooling = self.make_pooling()

    def make_pooling(self):
        """The layer that makes one vector of all frames; None for a head that does without."""
        return AttentiveStatisticsPooling(memory=self.memory, dtype=self.dtype_policy, name="pooling")

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> logits or scores (batch, classes)."""
        return self.classify(self.pooling(frames, lengths, state=state), training)

    def encode(self, value) -> np.ndarray:
        if value in self.classes:
            return np.int32(self.classes.index(value))
        if UNKNOWN_CLASS in self.classes:
            return np.int32(self.classes.index(UNKNOWN_CLASS))
        raise ValueError(f"{self.label} '{value}' is not among the classes of head '{self.name}': "
                         f"{', '.join(self.classes)}")

    def metrics_for_fit(self):
        return [keras.metrics.SparseCategoricalAccuracy(name=f"{self.name}_accuracy", dtype="float32")]

    def spec(self):
        return {"type": "classifier", "label": self.label, "classes": self.classes}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "memory": self.memory}

    def _check(self, option, value, fits, rule):
        if not fits:
            raise ValueError(f"head '{self.name}': {option} must be {rule}, got {value}")
