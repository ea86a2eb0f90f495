"""A head that answers with a number: how loud a recording is."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.head import Head
from speechzoo.layers.pooling import AttentiveStatisticsPooling
from speechzoo.layers.quantizable import Dense


@keras.saving.register_keras_serializable(package="tests")
class LoudnessHead(Head):
    """Attentive statistics pooling, then one number: a level, dB below full scale.

    Args:
        scale: Range of the levels, dB.

    Returns:
        (batch, 1), dB.
    """

    target_dtype = "float32"

    def __init__(self, scale: float = 60.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.pooling = AttentiveStatisticsPooling(dtype=self.dtype_policy, name="pooling")
        self.level = Dense(1, dtype=self.dtype_policy, name="level")

    def build(self, frames_shape, *_):
        self.pooling.build(frames_shape)
        self.level.build((None, 2 * frames_shape[-1]))

    def call(self, frames, lengths=None, training=False, state=None):
        return self.scale * self.level(self.pooling(frames, lengths, state=state))

    def encode(self, value) -> np.ndarray:
        if isinstance(value, str):
            raise ValueError(f"{self.label} '{value}' is no level in dB")
        return np.float32(value)

    def loss(self):
        return SquaredError(self.scale, name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return []

    def spec(self):
        return {"type": "loudness", "label": self.label, "scale": self.scale}

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tests")
class SquaredError(keras.losses.Loss):
    """Squared share of the scale by which levels are wrong."""

    def __init__(self, scale: float, name="squared_error", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.scale = scale

    def call(self, y_true, y_pred):
        return ops.square((y_pred[:, 0] - y_true) / self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
