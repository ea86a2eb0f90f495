"""What every head has in common."""

import keras
import numpy as np


class Head(keras.layers.Layer):
    """Frames of the backbone -> one task's output, together with its loss, its metrics and its labels.

    A head implements, besides `call`:

    - `loss()` -> keras.losses.Loss with reduction "mean_with_sample_weight": nats per example, so that the mean is over
      the labelled rows only, whatever else the batch holds.
    - `metrics_for_fit()` -> list of keras.metrics.Metric, each with `update_state(y_true, y_pred, sample_weight)`.
    - `encode(value)` -> array of `target_dtype`: a label as it stands in a manifest becomes the target of the loss.
      ValueError when the head doesn't know the label.
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
        target_dtype: Type of one encoded label: `int32`, or `float32` for numbers.
        memory: Frames after which a frame's weight has fallen to 1 / e, for a head of utterances that answers in an
            endless stream; 0 remembers the whole utterance.
        auxiliary: It only teaches the backbone while training; a model for use is built without it.
        unlabelled: It learns from the recordings alone, of which every one counts as labelled: see
            `speechzoo.pretraining`.
        looks_ahead: It sees frames behind the one that it answers for, so that models for streams can't have it.
        open_classes: Its classes are the labels that the training data holds, which `adapt` tells it.
        needs_class_counts: Its loss goes by how frequent its classes are, which `adapt` has to tell it yet.
        has_loss: It can be trained; False for a head of open classes that was told none.
        zero_padding: Its output by frame is zero in the padding, where those of classes say that nothing is there.
        clean_target: Its target are two waveforms, float32 (2, samples), which the pipeline fills in where the head has
            a label: the recording as the augmentation leaves it without noise, and as the model hears it.
        frame_per_unit: Its label can't have more units than there are frames, see `speechzoo.data.examples`.
        metrics_in_training: Its metrics are cheap enough for every training step; otherwise evaluation alone has them.
    """

    target_shape: tuple = ()
    target_dtype = "int32"
    memory: float = 0.0
    auxiliary = False
    unlabelled = False
    looks_ahead = False
    open_classes = False
    needs_class_counts = False
    has_loss = True
    zero_padding = False
    clean_target = False
    frame_per_unit = False
    metrics_in_training = True

    def __init__(self, label: str | None = None, name: str | None = None, **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.label = label or self.name

    def adapt(self, names: list[str] | None = None, class_counts: dict[str, float] | None = None):
        """Tells the head of the data that it is going to be trained on; most heads need not know.

        Args:
            names: Labels that the training data holds, sorted, for a head of open classes; before it is built.
            class_counts: Class -> number of examples that an epoch draws, for a head that `needs_class_counts`.
        """

    @staticmethod
    def names_in(value) -> list[str]:
        """The classes that a label as it stands in a manifest holds, of a head of open classes."""
        return [str(value)]

    def set_timing(self, sample_rate: int, hop_length: int, subsampling: int):
        """Tells the head how its frames lie in time; most heads need not know. The model calls it.

        Args:
            sample_rate: Hz.
            hop_length: Samples of a frame of the front end.
            subsampling: Frames of the front end for one of the backbone's.
        """

    def training_loss(self) -> keras.losses.Loss:
        """The loss of training steps, where it isn't that of an evaluation: one with dropout in it."""
        return self.loss()

    @property
    def calibrated_weights(self) -> list:
        """The weights that `calibrate` sets; a head that has none can't be calibrated."""
        return []

    def calibrate(self, heard: list[tuple[np.ndarray, np.ndarray]]) -> bool:
        """Sets `calibrated_weights` from what the trained head says of recordings that it was not trained on.

        Args:
            heard: Outputs and targets of the labelled rows, batch by batch, one batch at least.

        Returns:
            Whether it did: there may be too little to go by.
        """
        return False

    @property
    def optional_weights(self) -> list:
        """Weights that a file may lack without the head being new: its answers are those of their initial values."""
        return []

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
