"""Who speaks: an embedding that is near for the same voice and far for others."""

import math

import keras
import numpy as np
from keras import ops

from speechzoo.heads.head import Head
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.pooling import AttentiveStatisticsPooling, ChannelAttentiveStatisticsPooling
from speechzoo.layers.quantizable import Dense, FrameDense

_POOLINGS = ("attentive", "channel_attentive", "embeddings")


@keras.saving.register_keras_serializable(package="speechzoo")
class SpeakerHead(Head):
    """All frames become one vector, projected onto the unit sphere.

    The vector is one of

    - `attentive`: mean and standard deviation weighted by attention (`AttentiveStatisticsPooling`), and a linear layer;
    - `channel_attentive`: the same with an attention for each channel, and batch normalisation before the linear layer:
      ECAPA-TDNN's (Desplanques et al. 2020, https://arxiv.org/abs/2005.07143, section 3.1);
    - `embeddings`: each frame becomes an embedding of length one by a linear layer and ReLU, and these are averaged:
      the d-vector of GE2E (Wan et al. 2018, https://arxiv.org/abs/1710.10467, section 3.2), whose frames are windows.

    It learns by telling the training speakers apart. Their list is needed in training only: a model without it has the
    same embedding and no loss.

    Args:
        embedding_size: Dimensions of the embedding.
        speakers: Names of the training speakers; None for a model that only embeds.
        margin: Additive angular margin, radians.
        scale: Scale of the cosines in the softmax.
        pooling: `attentive`, `channel_attentive` or `embeddings`; the first alone can answer in streams.

    Raises:
        ValueError: Another `pooling`.

    Returns:
        (batch, embedding_size) of length one.

    Reference: ArcFace / AAM-softmax (Deng et al. 2019, https://arxiv.org/abs/1801.07698), equation 3.
    """

    open_classes = True

    def __init__(self, embedding_size: int = 128, speakers: list[str] | None = None, margin: float = 0.2,
                 scale: float = 30.0, pooling: str = "attentive", **kwargs):
        super().__init__(**kwargs)
        if pooling not in _POOLINGS:
            raise ValueError(f"head '{self.name}': pooling '{pooling}' is not one of {', '.join(_POOLINGS)}")
        self.embedding_size = embedding_size
        self.speakers, self.index = None, {}
        if speakers is not None:
            self.adapt(speakers)
        self.margin = margin
        self.scale = scale
        self.pooling_type = pooling
        self.looks_ahead = pooling != "attentive"
        kind = {"attentive": AttentiveStatisticsPooling, "channel_attentive": ChannelAttentiveStatisticsPooling}
        if pooling in kind:
            self.pooling = kind[pooling](dtype=self.dtype_policy, name="pooling")
        if pooling == "channel_attentive":
            self.norm = batch_norm("norm", dtype=self.dtype_policy)
        self.embedding = (FrameDense if pooling == "embeddings" else Dense)(
            embedding_size, dtype=self.dtype_policy, name="embedding")

    def adapt(self, names=None, class_counts=None):
        if names is not None:
            self.speakers = [str(name) for name in names]
            self.index = {name: number for number, name in enumerate(self.speakers)}

    @property
    def has_loss(self) -> bool:
        return bool(self.speakers)

    def build(self, frames_shape, *_):
        if self.pooling_type == "embeddings":
            self.embedding.build(frames_shape)
        else:
            self.pooling.build(frames_shape)
            self.embedding.build((None, 2 * frames_shape[-1]))
        if self.pooling_type == "channel_attentive":
            self.norm.build((None, 2 * frames_shape[-1]))
        if self.speakers:
            self.prototypes = self.add_weight(name="prototypes", shape=(len(self.speakers), self.embedding_size),
                                              initializer="glorot_normal")

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> embeddings (batch, embedding size) of length one."""
        if self.pooling_type == "embeddings":
            each = _unit(ops.relu(self.embedding(frames)))
            mask = sequence_mask(lengths, frames)
            return _unit(ops.sum(each if mask is None else each * mask, axis=1))
        if self.pooling_type == "channel_attentive":
            pooled = self.pooling(frames, lengths, training=training)
            return _unit(self.embedding(self.norm(pooled, training=training)))
        return _unit(self.embedding(self.pooling(frames, lengths, state=state)))

    def encode(self, value) -> np.ndarray:
        if value not in self.index:
            raise ValueError(f"speaker '{value}' is not among the {len(self.index)} training speakers of "
                             f"head '{self.name}'")
        return np.int32(self.index[value])

    def loss(self):
        if not self.speakers:
            raise ValueError(f"head '{self.name}' has no training speakers: build the model with their names "
                             "to train it")
        return AngularMarginLoss(self.prototypes, self.margin, self.scale, name=f"{self.name}_loss")

    def metrics_for_fit(self):
        return [PrototypeAccuracy(self, name=f"{self.name}_accuracy")] if self.speakers else []

    def spec(self):
        return {"type": "speaker", "label": self.label, "embedding_size": self.embedding_size}

    def get_config(self):
        return {**super().get_config(), "embedding_size": self.embedding_size, "speakers": self.speakers,
                "margin": self.margin, "scale": self.scale, "pooling": self.pooling_type}


def cosines(embedding, prototypes):
    """Cosine of each embedding with each prototype: (batch, speakers)."""
    return ops.matmul(embedding, ops.transpose(_unit(prototypes)))


def _unit(vectors):
    """The vectors along the last axis, with length one."""
    return vectors * ops.rsqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True) + 1e-8)


class AngularMarginLoss(keras.losses.Loss):
    """AAM-softmax, nats per example: cos(angle + margin) for the right speaker, cos(angle) for the others.

    Where angle + margin would pass pi, the cosine minus margin x sin(margin) keeps it monotonic, as in ArcFace's code.
    """

    def __init__(self, prototypes, margin: float, scale: float, name="aam_softmax", reduction="mean_with_sample_weight",
                 **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.prototypes = prototypes
        self.margin = margin
        self.scale = scale

    def call(self, y_true, y_pred):
        """Targets int32 (batch,), embeddings (batch, embedding size) -> float32 (batch,), nats."""
        cosine = ops.clip(cosines(y_pred, ops.convert_to_tensor(self.prototypes)), -1.0 + 1e-6, 1.0 - 1e-6)
        sine = ops.sqrt(1.0 - ops.square(cosine))
        shifted = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = cosine - self.margin * math.sin(self.margin)
        shifted = ops.where(cosine > math.cos(math.pi - self.margin), shifted, beyond)
        target = ops.one_hot(ops.cast(y_true, "int32"), cosine.shape[-1])
        logits = self.scale * (target * shifted + (1.0 - target) * cosine)
        return -ops.sum(target * ops.log_softmax(logits), axis=-1)


class PrototypeAccuracy(keras.metrics.Mean):
    """Share of utterances whose nearest prototype is their speaker's."""

    def __init__(self, head: SpeakerHead, name="speaker_accuracy", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        # Not the prototypes themselves: a metric takes a variable it holds for a state of its own.
        self.head = head

    def update_state(self, y_true, y_pred, sample_weight=None):
        best = ops.argmax(cosines(y_pred, ops.convert_to_tensor(self.head.prototypes)), axis=-1)
        super().update_state(ops.cast(ops.cast(y_true, "int32") == ops.cast(best, "int32"), "float32"), sample_weight)
