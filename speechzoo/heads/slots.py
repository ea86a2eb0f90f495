"""Slots of a spoken command: one closed set of values per slot."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.head import Head, label_names
from speechzoo.layers.pooling import AttentiveStatisticsPooling
from speechzoo.layers.quantizable import Dense
from speechzoo.layers.stream_state import part_of


@keras.saving.register_keras_serializable(package="speechzoo")
class SlotsHead(Head):
    """One softmax a slot over its values and "none", all from one pooled vector each.

    Args:
        slots: Slot name -> its values. Slots of an utterance that aren't among them are left to other means, such as a
            grammar: numbers, times and whatever else has too many values to learn one by one.
        dropout: Dropout rate of the pooled vectors.

    Returns:
        Logits (batch, sum over slots of values + 1): a segment per slot in the order given, "none" first in each.

    Example:
        >>> SlotsHead({"room": ["kitchen", "hall"], "colour": ["red"]}, name="slots").encode({"room": "hall"}).tolist()
        [2, 0]
    """

    target_shape = (None,)

    def __init__(self, slots: dict[str, list[str]], dropout: float = 0.2, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(slots, dict) or not slots or not all(slots.values()):
            raise ValueError(f"head '{self.name}': slots must map each slot to at least one value, got {slots!r}")
        self.slots = {str(name): label_names(values, f"head '{self.name}': slot {name}")
                      for name, values in slots.items()}
        self.dropout_rate = dropout
        self.sizes = [len(values) + 1 for values in self.slots.values()]
        self.target_shape = (len(self.slots),)
        options = {"dtype": self.dtype_policy}
        self.pooling = [AttentiveStatisticsPooling(name=f"{name}_pooling", **options) for name in self.slots]
        self.logits = [Dense(size, name=f"{name}_logits", **options) for name, size in zip(self.slots, self.sizes)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **options)

    def build(self, frames_shape, *_):
        for pooling, logits in zip(self.pooling, self.logits):
            pooling.build(frames_shape)
            logits.build((None, 2 * frames_shape[-1]))

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> logits (batch, sum over slots of values + 1)."""
        pooled = [pooling(frames, lengths, state=part_of(state, pooling.name)) for pooling in self.pooling]
        return ops.concatenate([logits(self.dropout(vector, training=training))
                                for vector, logits in zip(pooled, self.logits)], axis=-1)

    def encode(self, value) -> np.ndarray:
        for name, filled in value.items():
            if filled not in self.slots.get(name, [filled]):
                raise ValueError(f"slot {name}: '{filled}' is not among the values of head '{self.name}'")
        return np.array([values.index(value[name]) + 1 if name in value else 0 for name, values in self.slots.items()],
                        np.int32)

    def loss(self):
        return SlotsLoss(self.sizes, name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [SlotsAccuracy(self.sizes, name=f"{self.name}_accuracy")]

    def spec(self):
        return {"type": "slots", "label": self.label, "slots": self.slots}

    def get_config(self):
        return {**super().get_config(), "slots": self.slots, "dropout": self.dropout_rate}


def segments(logits, sizes):
    """The logits of each slot, in order."""
    edges = np.cumsum([0, *sizes])
    return [logits[:, start:end] for start, end in zip(edges, edges[1:])]


@keras.saving.register_keras_serializable(package="speechzoo")
class SlotsLoss(keras.losses.Loss):
    """Cross entropy summed over slots, nats per example."""

    def __init__(self, sizes: list[int], name="slots_loss", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.sizes = sizes

    def call(self, y_true, y_pred):
        """Targets int32 (batch, slots), logits (batch, sum over slots of values + 1) -> float32 (batch,), nats."""
        target = ops.cast(y_true, "int32")
        return sum(ops.sparse_categorical_crossentropy(target[:, index], logits, from_logits=True)
                   for index, logits in enumerate(segments(y_pred, self.sizes)))

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}


@keras.saving.register_keras_serializable(package="speechzoo")
class SlotsAccuracy(keras.metrics.Mean):
    """Share of utterances whose slots are all exactly right."""

    def __init__(self, sizes: list[int], name="slots_accuracy", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.sizes = sizes

    def update_state(self, y_true, y_pred, sample_weight=None):
        best = ops.stack([ops.argmax(logits, axis=-1) for logits in segments(y_pred, self.sizes)], axis=-1)
        right = ops.all(ops.cast(y_true, "int32") == ops.cast(best, "int32"), axis=-1)
        super().update_state(ops.cast(right, "float32"), sample_weight)

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}
