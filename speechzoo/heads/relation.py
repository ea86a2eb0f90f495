"""One label for the whole utterance, by a network that compares it with a prototype of each class."""

import keras
from keras import ops

from speechzoo.heads.classifier import ClassifierHead
from speechzoo.layers.quantizable import Dense

UNITS = 32
"""`UNITS` has the first layer of the network that compares."""


@keras.saving.register_keras_serializable(package="speechzoo")
class RelationScore(keras.layers.Layer):
    """How well embeddings go with prototypes: two dense layers on each pair, side by side.

    The first layer is a sum of one on the prototype and one on the embedding, which is the same as a layer on both.

    Reference: Sung et al. 2018, https://arxiv.org/abs/1711.06025, equation 1 and figure 2.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        options = {"dtype": self.dtype_policy}
        self.of_prototypes = Dense(UNITS, use_bias=False, name="of_prototypes", **options)
        self.of_embeddings = Dense(UNITS, name="of_embeddings", **options)
        self.score = Dense(1, name="score", **options)

    def build(self, prototypes_shape, embeddings_shape):
        self.of_prototypes.build(prototypes_shape)
        self.of_embeddings.build(embeddings_shape)
        self.score.build((None, UNITS))

    def call(self, prototypes, embeddings):
        """Prototypes (classes, size) and embeddings (batch, size) -> scores (batch, classes)."""
        pairs = ops.relu(self.of_embeddings(embeddings)[:, None] + self.of_prototypes(prototypes)[None])
        return ops.reshape(self.score(ops.reshape(pairs, (-1, UNITS))), (-1, prototypes.shape[0]))


@keras.saving.register_keras_serializable(package="speechzoo")
class RelationLogits(keras.layers.Layer):
    """`RelationScore` with a prototype of each class, which is a weight.

    Args:
        classes: Number of classes.

    Attributes:
        prototypes: (classes, size).
        relation: The `RelationScore`.
    """

    def __init__(self, classes: int, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.classes = classes
        self.relation = RelationScore(dtype=self.dtype_policy, name="relation")

    def build(self, embeddings_shape):
        shape = (self.classes, embeddings_shape[-1])
        self.prototypes = self.add_weight(name="prototypes", shape=shape, initializer="glorot_uniform")
        self.relation.build(shape, embeddings_shape)

    def call(self, embeddings):
        """Embeddings (batch, size) -> logits (batch, classes)."""
        return self.relation(ops.convert_to_tensor(self.prototypes), embeddings)

    @property
    def kernel(self):
        """Kernel of the last layer: logits are proportional to it and to `bias`."""
        return self.relation.score.kernel

    @property
    def bias(self):
        """Bias of the last layer."""
        return self.relation.score.bias

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable(package="speechzoo")
class RelationHead(ClassifierHead):
    """Attentive statistics pooling, an embedding, and a network that compares it with a prototype of each class.

    It is what `speechzoo meta --method relation` makes: the prototypes are means of recordings, the rest is learnt from
    episodes. It also trains like a classifier.

    Args:
        classes: Names of the classes.
        hidden_size: Size of the embedding, 1 or more.
        **kwargs: See `ClassifierHead`.

    Returns:
        Logits (batch, classes).

    Reference: Sung et al. 2018, https://arxiv.org/abs/1711.06025.
    """

    def __init__(self, classes: list[str], hidden_size: int = 64, **kwargs):
        super().__init__(classes, hidden_size=hidden_size, **kwargs)
        self._check("hidden_size", hidden_size, hidden_size >= 1, "1 or more")

    def make_logits(self):
        return RelationLogits(len(self.classes), dtype=self.dtype_policy, name="logits")
