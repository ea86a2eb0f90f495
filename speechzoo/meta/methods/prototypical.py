"""Prototypical networks: a class is the mean of its recordings in a space that episodes have shaped."""

from keras import ops

from speechzoo.meta.methods.method import Method, class_means


class Prototypical(Method):
    """The logit of a class is minus the squared distance from the mean of its embeddings.

    With embedding f and support S_k of class k:

        c_k = 1 / |S_k| sum over S_k of f(x)                     (equation 1)
        p(y = k | x) = softmax over k of -||f(x) - c_k||^2       (equation 2)

    and episodes minimise -log p of the right class. A linear layer with kernel 2 c_k and bias -||c_k||^2 has the same
    posteriors (section 2.4), so words that are learnt this way are an ordinary classifier.

    Reference: Snell et al. 2017, https://arxiv.org/abs/1703.05175.

    Args:
        network: Inputs -> embeddings (recordings, size).
        ways: Classes per task.
        head: See `Method`.
    """

    output = "embedding"
    paper = "Snell et al. 2017, https://arxiv.org/abs/1703.05175"

    def __init__(self, network, ways: int, head=None):
        super().__init__(network, head)
        self.ways = ways

    def scores(self, values, task):
        """Logits of the queries, (recordings, ways)."""
        prototypes = self._prototypes(values, task)
        return -squared_distances(self.forward(values, task["query"]), prototypes)

    def learnt(self, values, task):
        prototypes = ops.convert_to_numpy(self._prototypes(values, task))
        return {**super().learnt(values, task), self.head.logits.kernel.path: 2 * prototypes.T,
                self.head.logits.bias.path: -(prototypes ** 2).sum(axis=1)}

    def _prototypes(self, values, task):
        return class_means(self.forward(values, task["support"]), task["support_targets"], self.ways)


def squared_distances(one, other):
    """Squared Euclidean distance of each row (m, size) from each row (n, size): (m, n)."""
    return ops.sum(ops.square(one[:, None] - other[None]), axis=-1)
