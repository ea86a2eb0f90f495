"""How well an attention decoder foretells each token of a text from those before it."""

import keras
from keras import ops


class Seq2SeqLoss(keras.losses.Loss):
    """Cross entropy of a text's tokens, nats per example: the sum over the tokens, the one that ends it included.

    The decoder runs here, over all tokens at once (teacher forcing).

    Args:
        head: The `Seq2SeqHead`.
        label_smoothing: Probability spread evenly over the vocabulary.
        training: Whether the decoder's dropout is on, and its scheduled sampling.
    """

    def __init__(self, head, label_smoothing: float = 0.0, training: bool = False, name="seq2seq_loss",
                 reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.head = head
        self.label_smoothing = label_smoothing
        self.training = training

    def call(self, y_true, y_pred):
        """Targets int32 (batch, tokens), memory (batch, frames, channels) -> float32 (batch,), nats."""
        target, mask = targets_of(y_true)
        logits = foretell(self.head, target, y_pred, self.training)
        chosen = ops.take_along_axis(logits, target[..., None], axis=-1)[..., 0]
        if self.label_smoothing:
            chosen = (1.0 - self.label_smoothing) * chosen + self.label_smoothing * ops.mean(logits, axis=-1)
        return ops.sum(mask * (ops.logsumexp(logits, axis=-1) - chosen), axis=-1)


class TokenAccuracy(keras.metrics.Mean):
    """Share of the tokens that come out right where all before them are given.

    Args:
        head: The `Seq2SeqHead`.
    """

    def __init__(self, head, name="token_accuracy", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.head = head

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, mask = targets_of(y_true)
        best = ops.argmax(foretell(self.head, target, y_pred), axis=-1)
        if sample_weight is not None:
            mask = mask * ops.cast(sample_weight, "float32")[:, None]
        super().update_state(ops.cast(target == ops.cast(best, "int32"), "float32"), mask)


def targets_of(y_true):
    """Targets (batch, tokens), indices plus one, 0 in the padding -> indices, and float32 1 where there is a token."""
    target = ops.cast(y_true, "int32")
    return ops.maximum(target - 1, 0), ops.cast(target > 0, "float32")


def foretell(head, target, memory, training: bool = False):
    """Logits (batch, tokens, vocabulary) of each token of `target` (batch, tokens), given those before it.

    In training, some of those before it may be the decoder's own, see `Seq2SeqHead.scheduled_sampling`.
    """
    start = ops.broadcast_to(ops.convert_to_tensor(head.start_tokens, "int32"),
                             (ops.shape(target)[0], len(head.start_tokens)))
    tokens = ops.concatenate([start, target[:, :-1]], axis=1)
    if training and head.scheduled_sampling:
        tokens = head.with_own_tokens(tokens, memory)
    first = len(head.start_tokens) - 1
    # Of a batch without labels there are no tokens, and nothing is foretold.
    return head.decode(tokens, memory, training)[:, first:first + ops.shape(target)[1]]
