"""Frames of two domains that vary alike."""

from keras import ops

from speechzoo.training.penalties.domain_penalty import TwoDomains


class CORAL(TwoDomains):
    """Deep CORAL: strength / (4 x channels^2) x squared Frobenius distance of the source and target covariances.

    The covariances are those of all frames of the batch's recordings, without padding; means don't count. A batch that
    lacks one of the two has none.

    Reference: Sun and Saenko 2016, https://arxiv.org/abs/1607.01719, equations 1 to 3.

    Args:
        block: Block of the backbone (1-based).
        target: Value of the label, or a list of values, of the recordings that the model shall learn to understand.
        label: Field of the utterances that says their domain.
        strength: Factor of the distance, the paper's lambda.
    """

    def call(self, model, inputs, outputs):
        """The distance of a batch's covariances, a scalar."""
        frames, mask = self.frames(inputs, outputs)
        channels = frames.shape[-1]
        frames = ops.reshape(frames, (-1, channels))
        weights = [ops.reshape(mask[..., 0] * side[:, None], (-1, 1)) for side in self.sides(inputs)]
        one, other = (covariance(frames, weight) for weight in weights)
        enough = ops.cast(ops.minimum(*map(ops.sum, weights)) > 1.5, "float32")
        return self.strength * enough * ops.sum(ops.square(one - other)) / (4.0 * channels ** 2)


def covariance(rows, weights):
    """Covariance (channels, channels) of the rows (rows, channels) whose weight (rows, 1) is 1; others have 0."""
    count = ops.sum(weights)
    centred = (rows - ops.sum(rows * weights, axis=0) / ops.maximum(count, 1.0)) * weights
    return ops.matmul(ops.transpose(centred), centred) / ops.maximum(count - 1.0, 1.0)
