"""One label for the whole utterance."""

import keras
import numpy as np

from speechzoo.heads.head import Head, label_names
from speechzoo.heads.pooling import AttentiveStatisticsPooling

UNKNOWN = "_unknown_"


class ClassifierHead(Head):
    """Attentive statistics pooling, then a softmax over classes.

    Args:
        classes: Names of the classes. With `_unknown_` among them, every other label counts as unknown.
        hidden_size: Units of a dense layer before the softmax; 0 leaves it out.
        label_smoothing: Probability spread evenly over the classes.
        dropout: Dropout rate of the pooled vector.

    Returns:
        Logits (batch, classes).

    Example:
        >>> ClassifierHead(["yes", "no", "_unknown_"], name="keyword").encode("maybe").item()
        2
    """

    def __init__(self, classes: list[str], hidden_size: int = 0, label_smoothing: float = 0.0, dropout: float = 0.2,
                 **kwargs):
        super().__init__(**kwargs)
        classes = label_names(classes, f"head '{self.name}': classes")
        if len(set(classes)) != len(classes) or len(classes) < 2:
            raise ValueError(f"head '{self.name}': classes must be at least two different names, got {classes}")
        self.classes = classes
        self.hidden_size = hidden_size
        self.label_smoothing = label_smoothing
        self.dropout_rate = dropout
        self.pooling = AttentiveStatisticsPooling(name="pooling")
        self.hidden = keras.layers.Dense(hidden_size, activation="relu", name="hidden") if hidden_size else None
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.logits = keras.layers.Dense(len(classes), name="logits")

    def build(self, frames_shape, *_):
        self.pooling.build(frames_shape)
        size = 2 * frames_shape[-1]
        if self.hidden is not None:
            self.hidden.build((None, size))
            size = self.hidden_size
        self.logits.build((None, size))

    def call(self, frames, lengths=None, training=False):
        pooled = self.pooling(frames, lengths)
        if self.hidden is not None:
            pooled = self.hidden(pooled)
        return self.logits(self.dropout(pooled, training=training))

    def encode(self, value) -> np.ndarray:
        if value in self.classes:
            return np.int32(self.classes.index(value))
        if UNKNOWN in self.classes:
            return np.int32(self.classes.index(UNKNOWN))
        raise ValueError(f"{self.label} '{value}' is not among the classes of head '{self.name}': "
                         f"{', '.join(self.classes)}")

    def loss(self):
        return SoftmaxCrossEntropy(self.label_smoothing, name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [keras.metrics.SparseCategoricalAccuracy(name=f"{self.name}_accuracy")]

    def spec(self):
        return {"type": "classifier", "label": self.label, "classes": self.classes}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "hidden_size": self.hidden_size,
                "label_smoothing": self.label_smoothing, "dropout": self.dropout_rate}


class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross entropy between class indices (batch,) and logits (batch, classes), nats per example."""

    def __init__(self, label_smoothing: float = 0.0, name="softmax_cross_entropy", reduction="mean_with_sample_weight",
                 **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        log_probabilities = keras.ops.log_softmax(y_pred)
        target = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), y_pred.shape[-1])
        target = target * (1.0 - self.label_smoothing) + self.label_smoothing / y_pred.shape[-1]
        return -keras.ops.sum(target * log_probabilities, axis=-1)
