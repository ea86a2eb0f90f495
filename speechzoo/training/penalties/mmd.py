"""Recordings of two domains that lie in the same places."""

from keras import ops

from speechzoo.training.penalties.domain_penalty import TwoDomains

# Widths of the kernels, in mean squared distances of two recordings.
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


class MMD(TwoDomains):
    """Maximum mean discrepancy: strength x the squared distance of source and target in the space of several kernels.

    A recording is the mean of its frames. The kernel is the mean of five Gaussian ones exp(-distance^2 / width), whose
    widths are 1/4, 1/2, 1, 2 and 4 times the mean squared distance of two recordings of the batch, so that some kernel
    fits whatever the scale is. The estimate is the unbiased one, which may be below 0 where the two are alike. A batch
    that has fewer than two recordings of either has none.

    References: Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html, equation 3; several kernels: Long et
    al. 2015, https://arxiv.org/abs/1502.02791, section 3.

    Args:
        block: Block of the backbone (1-based).
        target: Value of the label, or a list of values, of the recordings that the model shall learn to understand.
        label: Field of the utterances that says their domain.
        strength: Factor of the distance.
    """

    def call(self, model, inputs, outputs):
        """The discrepancy of a batch, a scalar."""
        return self.strength * discrepancy(self.means(inputs, outputs), *self.sides(inputs))


def discrepancy(rows, source, target):
    """Unbiased squared discrepancy of the rows (rows, channels) of two sides, each float32 (rows,) of 1 and 0."""
    place = ops.arange(ops.shape(rows)[0], dtype="int32")
    different = ops.cast(place[:, None] != place[None], "float32")
    squares = ops.sum(ops.square(rows), axis=-1)
    distances = ops.maximum(squares[:, None] + squares[None] - 2.0 * ops.matmul(rows, ops.transpose(rows)), 0.0)
    counts = source + target
    pairs = counts[:, None] * counts[None] * different
    mean = ops.stop_gradient(ops.sum(distances * pairs) / ops.maximum(ops.sum(pairs), 1.0))
    kernel = sum(ops.exp(-distances / ops.maximum(width * mean, 1e-12)) for width in WIDTHS) / len(WIDTHS)
    sides = ((source, source), (target, target), (source, target))
    within_source, within_target, between = (_mean(kernel, one[:, None] * other[None] * different)
                                             for one, other in sides)
    enough = ops.cast(ops.minimum(ops.sum(source), ops.sum(target)) > 1.5, "float32")
    return enough * (within_source + within_target - 2.0 * between)


def _mean(values, weights):
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)
