"""One label for the whole utterance, told apart by hyperplanes."""

import math

import keras
from keras import ops

from speechzoo.heads.pooled_head import PooledHead
from speechzoo.layers.quantizable import Dense

HINGES = ("crammer_singer", "one_vs_rest")


@keras.saving.register_keras_serializable(package="speechzoo")
class SVMHead(PooledHead):
    """Attentive statistics pooling, then a support vector machine: one hyperplane a class, learnt by a hinge loss.

    It asks each class to win by a margin and then leaves it alone, where cross entropy goes on pushing: a choice for
    few or noisy labels. Its scores are distances: the softmax over them that decoding calls a confidence is not
    calibrated.

    Args:
        classes: Names of the classes. With `_unknown_` among them, every other label counts as unknown.
        hinge: `crammer_singer` (the right class against the best wrong one) or `one_vs_rest` (each class by itself).
        fourier_features: Number of random Fourier features, which make its kernel Gaussian; 0 is linear.
        bandwidth: Of that kernel, exp(-|x - y|^2 / (2 bandwidth^2 size)), size being that of the pooled vector.
        l2: Factor of the squared lengths of the hyperplanes' normals in the loss; small means narrow margins.
        dropout: Dropout rate of the pooled vector.
        memory: Frames after which a frame's weight has fallen to 1 / e; 0 remembers the whole utterance.

    Returns:
        Scores (batch, classes); the greatest wins.

    Reference: Crammer and Singer 2001, "On the algorithmic implementation of multiclass kernel-based vector machines",
    equation 4; Rahimi and Recht 2007, "Random features for large-scale kernel machines", section 3.
    """

    def __init__(self, classes: list[str], hinge: str = "crammer_singer", fourier_features: int = 0,
                 bandwidth: float = 1.0, l2: float = 1e-4, dropout: float = 0.0, memory: float = 0.0, **kwargs):
        super().__init__(classes, memory, **kwargs)
        if hinge not in HINGES:
            raise ValueError(f"head '{self.name}': hinge '{hinge}' is not {' or '.join(HINGES)}")
        if bandwidth <= 0:
            raise ValueError(f"head '{self.name}': bandwidth {bandwidth} is not above zero")
        self.hinge = hinge
        self.fourier_features = fourier_features
        self.bandwidth = bandwidth
        self.l2 = l2
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.logits = Dense(len(self.classes), kernel_regularizer=keras.regularizers.L2(l2), dtype=self.dtype_policy,
                            name="logits")

    def build(self, frames_shape, *_):
        self.pooling.build(frames_shape)
        size = 2 * frames_shape[-1]
        if self.fourier_features:
            # Drawn once and stored with the weights: a model means nothing with other frequencies.
            self.frequencies = self.add_weight(name="frequencies", shape=(size, self.fourier_features), trainable=False,
                                               initializer=keras.initializers.RandomNormal(stddev=size ** -0.5))
            self.phases = self.add_weight(name="phases", shape=(self.fourier_features,), trainable=False,
                                          initializer=keras.initializers.RandomUniform(0.0, 2 * math.pi))
            size = self.fourier_features
        self.logits.build((None, size))

    def classify(self, pooled, training=False):
        """Scores (batch, classes) of what the pooling gave."""
        pooled = self.dropout(pooled, training=training)
        return self.logits(self.map_to_kernel(pooled) if self.fourier_features else pooled)

    def map_to_kernel(self, pooled):
        """Vectors (batch, features) whose products approximate the kernel of the vectors `pooled` (batch, size)."""
        angles = ops.matmul(pooled, self.frequencies) / self.bandwidth + self.phases
        return (2.0 / self.fourier_features) ** 0.5 * ops.cos(angles)

    def loss(self):
        return HingeLoss(self.hinge, name=f"{self.name}_loss")

    def get_config(self):
        names = ("hinge", "fourier_features", "bandwidth", "l2")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="speechzoo")
class HingeLoss(keras.losses.Loss):
    """How far scores (batch, classes) are from giving class indices (batch,) a margin of one; in margins, not nats."""

    def __init__(self, hinge: str = "crammer_singer", name="hinge", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.hinge = hinge

    def call(self, y_true, y_pred):
        """Targets int32 (batch,), scores (batch, classes) -> float32 (batch,), margins."""
        target = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        if self.hinge == "one_vs_rest":
            return ops.sum(ops.relu(1.0 + (1.0 - 2.0 * target) * y_pred), axis=-1)
        right = ops.sum(target * y_pred, axis=-1)
        wrong = ops.max(y_pred - 1e9 * target, axis=-1)
        return ops.relu(1.0 + wrong - right)

    def get_config(self):
        return {**super().get_config(), "hinge": self.hinge}
