"""CTC loss with its gradient from one pass of forward and backward scores."""

import keras
from keras import ops

# Logit of every unit but blank in the padding: probability exactly zero in float32.
IMPOSSIBLE = -1e9


@keras.saving.register_keras_serializable(package="speechzoo")
class CTCLoss(keras.losses.Loss):
    """Negative log likelihood of the units, nats per example; an example that can't be aligned counts as zero.

    The forward and backward recursions run side by side in one loop over time, and the gradient is written out
    (softmax minus occupation), so that nothing is differentiated through the loop: on CPUs this is many times faster
    than differentiating `keras.ops.ctc_loss`.

    Call arguments:
        y_true: int32 (batch, units) indices from 1, padded with 0.
        y_pred: logits (batch, frames, units + 1); index 0 is blank. Padded frames are blank with probability one, so
            no lengths are needed: staying in blank until the end costs nothing.

    Reference: Graves et al. 2006, equations 5 to 16, in logarithms.
    """

    def __init__(self, name="ctc_loss", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        """Targets int32 (batch, units), logits (batch, frames, units + 1) -> float32 (batch,), nats."""
        target = ops.cast(y_true, "int32")

        @ops.custom_gradient
        def negative_log_likelihood(logits):
            loss, gradient = loss_and_gradient(target, logits)

            def backward(*arguments, upstream=None):
                (upstream,) = arguments if upstream is None else (upstream,)
                return gradient * upstream[:, None, None]

            return loss, backward

        return negative_log_likelihood(y_pred)


def loss_and_gradient(target, logits):
    """The loss (batch,) and its gradient with respect to the logits (batch, frames, units + 1)."""
    log_probabilities = ops.log_softmax(logits)
    length = ops.sum(ops.cast(target > 0, "int32"), axis=1)
    batch, num_units = ops.shape(target)[0], ops.shape(target)[1]
    num_states = 2 * num_units + 1

    # States: blank, unit 1, blank, unit 2, ..., blank.
    states = ops.reshape(ops.stack([ops.zeros_like(target), target], axis=-1), (batch, 2 * num_units))
    states = ops.pad(states, ((0, 0), (0, 1)))
    # Padding first and slicing then works for a batch of empty transcripts, which has one state, too.
    before = ops.pad(states, ((0, 0), (2, 0)))[:, :-2]
    skips = ops.logical_and(states > 0, states != before)  # may be entered from two states before
    position = ops.arange(num_states, dtype="int32")[None, :]
    starts = ops.logical_and(position < 2, position <= 2 * length[:, None])
    ends = ops.logical_and(position >= 2 * length[:, None] - 1, position <= 2 * length[:, None])

    # (frames, batch, states): log probability of each state's unit at each frame.
    emission = ops.take_along_axis(log_probabilities, states[:, None, :], axis=2)
    emission = ops.transpose(emission, (1, 0, 2))

    # The backward recursion is the forward one with time and states reversed.
    skips_back = ops.flip(ops.pad(skips, ((0, 0), (0, 2)))[:, 2:], axis=1)
    certain, impossible = ops.cast(0.0, emission.dtype), ops.cast(IMPOSSIBLE, emission.dtype)
    penalty = ops.where(ops.concatenate([skips, skips_back], axis=0), certain, impossible)
    first = ops.where(ops.concatenate([starts, ops.flip(ends, axis=1)], axis=0), certain, impossible)
    both = ops.concatenate([emission, ops.flip(emission, axis=(0, 2))], axis=1)

    def step(scores, frame):
        one = ops.pad(scores[:, :-1], ((0, 0), (1, 0)), constant_values=IMPOSSIBLE)
        two = ops.pad(scores, ((0, 0), (2, 0)), constant_values=IMPOSSIBLE)[:, :-2] + penalty
        best = ops.maximum(scores, ops.maximum(one, two))
        total = best + ops.log(ops.exp(scores - best) + ops.exp(one - best) + ops.exp(two - best))
        scores = ops.maximum(total + frame, 2 * IMPOSSIBLE)  # keeps sums of impossible events finite
        return scores, scores

    scores = first + both[0]
    # One step too many, so that a batch of one frame has something to loop over.
    _, rest = ops.scan(step, scores, ops.pad(both, ((0, 1), (0, 0), (0, 0)))[1:])
    scores = ops.concatenate([scores[None], rest[:-1]], axis=0)
    forward, backward = scores[:, :batch], ops.flip(scores[:, batch:], axis=(0, 2))
    log_likelihood = ops.logsumexp(ops.where(ends, forward[-1], impossible), axis=1)
    possible = log_likelihood > IMPOSSIBLE / 2

    occupation = ops.exp(ops.minimum(forward + backward - emission - log_likelihood[None, :, None], 0.0))
    units = ops.one_hot(states, logits.shape[-1], dtype=logits.dtype)
    of_units = ops.matmul(ops.transpose(occupation, (1, 0, 2)), units)
    gradient = ops.where(possible[:, None, None], ops.exp(log_probabilities) - of_units, certain)
    return ops.where(possible, -log_likelihood, certain), gradient
