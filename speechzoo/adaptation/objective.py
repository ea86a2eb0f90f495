"""What tells, without labels, that a model is unsure."""

from keras import ops

# Of heads of type `ctc` (Lin et al. 2022, section 4).
CTC_TEMPERATURE = 2.5
CTC_ENTROPY_SHARE = 0.3


def entropy(logits):
    """Entropy of each decision, nats: logits (..., classes) -> (...)."""
    log_probs = ops.log_softmax(logits)
    return -ops.sum(ops.exp(log_probs) * log_probs, axis=-1)


def class_confusion(logits, valid):
    """How much the classes are mixed up with each other over the frames of each recording.

    The correlation of two classes is the sum over the frames of the products of their probabilities; each class's sum
    to 1, and what lies off the diagonal counts.

    Reference: Jin et al. 2020, https://arxiv.org/abs/1912.03699, section 3, without the weights by entropy, as Lin et
    al. 2022 use it.

    Args:
        logits: (batch, frames, classes), divided by the temperature.
        valid: (batch, frames), 1 where a frame is none of the padding and 0 elsewhere.

    Returns:
        (batch,): 0 where each class keeps to itself, (classes - 1) / classes where all are mixed up.
    """
    probabilities = ops.softmax(logits) * valid[..., None]
    correlation = ops.matmul(ops.transpose(probabilities, (0, 2, 1)), probabilities)
    correlation = correlation / ops.maximum(ops.sum(correlation, axis=-1, keepdims=True), 1e-20)
    own = ops.sum(ops.diagonal(correlation, axis1=1, axis2=2), axis=-1)
    classes = logits.shape[-1]
    return (ops.sum(correlation, axis=(1, 2)) - own) / classes


def ctc_objective(logits, valid):
    """0.3 x entropy of the frames whose best unit isn't the blank + 0.7 x class confusion, at the temperature 2.5.

    Reference: Lin et al. 2022 (SUTA), https://arxiv.org/abs/2203.14222, section 3.

    Args:
        logits: (batch, frames, units + 1), the blank first.
        valid: As of `class_confusion`.

    Returns:
        (batch,)
    """
    speaks = ops.cast(ops.argmax(logits, axis=-1) != 0, "float32") * valid
    logits = logits / CTC_TEMPERATURE
    unsure = ops.sum(entropy(logits) * speaks, axis=1) / ops.maximum(ops.sum(speaks, axis=1), 1.0)
    return CTC_ENTROPY_SHARE * unsure + (1.0 - CTC_ENTROPY_SHARE) * class_confusion(logits, valid)


def classifier_objective(logits, valid):
    """Entropy of the class of each recording, nats: logits (batch, classes) -> (batch,).

    Reference: Wang et al. 2021 (TENT), https://arxiv.org/abs/2006.10726, section 3.1.
    """
    return entropy(logits)


# Type of a head, as its spec has it -> objective(logits, valid) -> (batch,).
OBJECTIVES = {"ctc": ctc_objective, "classifier": classifier_objective}
