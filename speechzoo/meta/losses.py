"""What episodes are scored by in training."""

from keras import ops


def open_set_cross_entropy(logits, targets):
    """Cross entropy in nats; recordings that belong to no class shall leave the model undecided.

    Their target is the uniform distribution: the entropic open-set loss (Dhamija et al. 2018,
    https://arxiv.org/abs/1811.04110, equation 1). So the greatest posterior tells the words from everything else.

    Args:
        logits: (recordings, ways).
        targets: int32 (recordings,), -1 of those that belong to none.

    Returns:
        The mean, a scalar.
    """
    ways = logits.shape[-1]
    none = ops.cast(targets < 0, logits.dtype)[:, None]
    wanted = ops.one_hot(ops.maximum(targets, 0), ways, dtype=logits.dtype) * (1 - none) + none / ways
    return -ops.mean(ops.sum(wanted * ops.log_softmax(logits, axis=-1), axis=-1))


def relation_error(logits, targets):
    """Mean squared error of relation scores, which shall be 1 for the right class and 0 for all others.

    Sung et al. 2018, https://arxiv.org/abs/1711.06025, equation 2. A recording that belongs to no class has relation 0
    to all of them.

    Args:
        logits: (recordings, ways), before the sigmoid.
        targets: int32 (recordings,), -1 of those that belong to none.
    """
    none = ops.cast(targets < 0, logits.dtype)[:, None]
    wanted = ops.one_hot(ops.maximum(targets, 0), logits.shape[-1], dtype=logits.dtype) * (1 - none)
    return ops.mean(ops.square(ops.sigmoid(logits) - wanted))
