"""Relation networks: whether a recording belongs to a class is learnt, too, not only the space."""

from keras import ops

from speechzoo.meta.losses import relation_error
from speechzoo.meta.methods.method import Method, class_means


class Relation(Method):
    """A small network compares a recording with each class.

        r_k = g(C(f_k, f(x)))      (equation 1, f_k from the support of class k)

    with embedding f, C side by side, and g two dense layers; episodes minimise (sigmoid(r_k) - 1{y = k})^2 (equation
    2). f_k is the mean over the support, where the paper has the sum: it doesn't grow with the number of recordings.

    Reference: Sung et al. 2018, https://arxiv.org/abs/1711.06025.

    Args:
        network: Inputs -> embeddings (recordings, size).
        ways: Classes per task.
        relation: The layer g(C(...)): `speechzoo.heads.relation.RelationScore`.
        head: See `Method`.
    """

    output = "embedding"
    paper = "Sung et al. 2018, https://arxiv.org/abs/1711.06025"

    def __init__(self, network, ways: int, relation, head=None):
        super().__init__(network, head)
        self.ways, self.relation = ways, relation

    @property
    def variables(self):
        return [*super().variables, *self.relation.trainable_variables]

    def loss(self, values, task):
        return relation_error(self.scores(values, task), task["query_targets"])

    def scores(self, values, task):
        """Relation of each query with each class before the sigmoid, (recordings, ways)."""
        own = list(values[len(self.network.trainable_variables):])
        return self.relation.stateless_call(own, [], self._classes(values, task),
                                            self.forward(values, task["query"]))[0]

    def learnt(self, values, task):
        own = values[len(self.network.trainable_variables):]
        return {**super().learnt(values, task), self.head.logits.prototypes.path:
                ops.convert_to_numpy(self._classes(values, task)),
                **{variable.path: ops.convert_to_numpy(value)
                   for variable, value in zip(self.relation.trainable_variables, own)}}

    def _classes(self, values, task):
        return class_means(self.forward(values, task["support"]), task["support_targets"], self.ways)
