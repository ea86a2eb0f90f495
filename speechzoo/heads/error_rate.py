"""Token error rate of greedy CTC decoding, in the graph, for `fit` and `evaluate`."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="speechzoo")
class TokenErrorRate(keras.metrics.Metric):
    """Edits (substitutions, insertions, deletions) over reference units, summed over examples.

    Characters give the CER, phones the PER. It costs a loop over the reference, so it is updated in
    evaluation only (`CTCHead.metrics_in_training`).

    Call arguments of `update_state`:
        y_true: int32 (batch, units), padded with 0.
        y_pred: logits (batch, frames, units + 1); index 0 is blank.
        sample_weight: (batch,) or None.
    """

    def __init__(self, name="token_error_rate", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.edits = self.add_variable(shape=(), initializer="zeros", name="edits")
        self.units = self.add_variable(shape=(), initializer="zeros", name="units")

    def update_state(self, y_true, y_pred, sample_weight=None):
        reference = ops.cast(y_true, "int32")
        length = ops.sum(ops.cast(reference > 0, "int32"), axis=1)
        weight = ops.ones_like(length, "float32") if sample_weight is None else ops.cast(sample_weight, "float32")
        edits = edit_distance(reference, length, *collapse(ops.argmax(y_pred, axis=-1)))
        self.edits.assign(self.edits + ops.sum(weight * edits))
        self.units.assign(self.units + ops.sum(weight * ops.cast(length, "float32")))

    def result(self):
        return self.edits / ops.maximum(self.units, 1.0)


def collapse(path):
    """Greedy CTC: drops repeats and blanks and moves what is left to the front.

    Args:
        path: int (batch, frames) of best indices.

    Returns:
        int32 (batch, frames) units padded with 0, and int32 (batch,) their number.
    """
    path = ops.cast(path, "int32")
    previous = ops.pad(path[:, :-1], ((0, 0), (1, 0)), constant_values=0)
    kept = ops.logical_and(path != 0, path != previous)
    positions = ops.arange(ops.shape(path)[1], dtype="int32")
    order = ops.argsort(ops.where(kept, 0, 1) * ops.shape(path)[1] + positions, axis=1)
    units = ops.take_along_axis(ops.where(kept, path, 0), order, axis=1)
    return units, ops.sum(ops.cast(kept, "int32"), axis=1)


def edit_distance(reference, reference_length, hypothesis, hypothesis_length):
    """Levenshtein distance of each row: float32 (batch,).

    One row of the table a step; within a row the insertions are a running minimum: d[j] = j + min_{k<=j}(t[k] - k).
    """
    hypothesis = hypothesis[:, :ops.max(hypothesis_length)]
    columns = ops.cast(ops.arange(ops.shape(hypothesis)[1] + 1, dtype="int32"), "float32")
    later = ops.where(columns[:, None] <= columns[None, :], 0.0, 1e9)  # (k, j)
    first = columns[None, :] + 0.0 * ops.cast(reference_length, "float32")[:, None]

    def step(number, row):
        unit = ops.take(reference, number, axis=1)
        substitute = row[:, :-1] + ops.cast(hypothesis != unit[:, None], "float32")
        best = ops.concatenate([row[:, :1] + 1.0, ops.minimum(row[:, 1:] + 1.0, substitute)], axis=1)
        best = columns + ops.min((best - columns)[:, :, None] + later[None], axis=1)
        return number + 1, ops.where((number < reference_length)[:, None], best, row)

    _, last = ops.while_loop(lambda number, row: number < ops.shape(reference)[1], step, (0, first))
    return ops.take_along_axis(last, ops.cast(hypothesis_length, "int32")[:, None], axis=1)[:, 0]
