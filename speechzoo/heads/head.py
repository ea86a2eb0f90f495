"""What every head has in common."""

import keras


class Head(keras.layers.Layer):
    """Frames of the backbone -> one task's output, together with its loss, its metrics and its labels.

    A head implements, besides `call`:

    - `loss()` -> keras.losses.Loss with reduction "mean_with_sample_weight": nats per example, so that the mean is over
      the labelled rows only, whatever else the batch holds.
    - `metrics_for_fit()` -> list of keras.metrics.Metric, each with `update_state(y_true, y_pred, sample_weight)`.
    - `encode(value)` -> int32 array: a label as it stands in a manifest becomes the target of the loss. ValueError when
      the head doesn't know the label.
    - `spec()` -> dict of plain values: what decoding needs to read the output; it travels inside every exported file.

    Call arguments:
        frames: float (batch, frames, channels), zero in the padding.
        lengths: int32 (batch,), frames that are not padding; None when nothing is padded.
        state: `StreamState` of a step in a stream, or None. A head of frames answers for those of the step, a head of
            utterances for all since the stream began.

    Attributes:
        label: Utterance field that holds the label; the head's own name unless given.
        target_shape: Shape of one encoded label: `()`; `(None,)` for a sequence that batches pad with 0; or `(None, 2)`
            for one of classes (from 1) and where in the recording they end (hundredths of a second).
        auxiliary: It only teaches the backbone while training; a model for use is built without it.
        looks_ahead: It sees frames behind the one that it answers for, so that models for streams can't have it.
    """

    target_shape: tuple = ()
    auxiliary = False
    looks_ahead = False

    def __init__(self, label: str | None = None, name: str | None = None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.label = label or self.name

    def get_config(self):
        return {**super().get_config(), "label": self.label}


def label_names(values, where: str) -> list[str]:
    """The names of classes or slot values that a config lists, as text.

    Raises:
        ValueError: Not a list, or a name that YAML has read as true or false.
    """
    if not isinstance(values, list | tuple):
        raise ValueError(f"{where} must be a list of names, got {values!r}")
    for value in values:
        if isinstance(value, bool):
            raise ValueError(f"{where} holds {value}: put yes, no, on, off, true and false in quotes")
    return [str(value) for value in values]
