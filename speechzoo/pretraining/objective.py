"""What every objective has in common."""

import keras
from keras import ops

from speechzoo.frontends.waveform import Waveform
from speechzoo.heads.head import Head
from speechzoo.pretraining.feature_mask import FeatureMask


class Objective(Head):
    """An auxiliary head that learns from features instead of labels, so that every recording teaches the backbone.

    It has a pass of the backbone of its own, over features without SpecAugment of which it may hide some: what the
    other heads read stays as it is. Its gradient ends at the features, so that no front end can make them easy to
    guess.

    An objective implements `call(frames, lengths, features, feature_lengths, hidden)`, `spec()` and `get_config()`, and
    where it hides something `make_mask(frontend, backbone)`.

    Call arguments:
        frames: float (batch, frames, channels) of the backbone, which has seen what was left of the features.
        lengths: int32 (batch,), frames that are not padding.
        features: float32 (batch, feature frames, bins), all of them.
        feature_lengths: int32 (batch,).
        hidden: float32 (batch, feature frames, bins), 1 where the backbone has not seen them; None where it saw all.

    Returns:
        float32 (batch, 1 + measures): the loss of each recording, and `measures`.

    Attributes:
        measures: Names of what is measured beside the loss, of each recording.
        mask: The layer that hides features; None where the backbone sees all.
    """

    auxiliary = True
    unlabelled = True
    measures: tuple[str, ...] = ()

    def connect(self, frontend, backbone):
        """Tells the objective which network it teaches, before it is called.

        Raises:
            ValueError: It can't teach this one.
        """
        if self.built:  # in another model of the same parts
            return
        if isinstance(frontend, Waveform):
            # Its windows overlap, so that what is hidden of one is seen in the next.
            raise ValueError(f"head '{self.name}' guesses features, and the front end 'waveform' hands samples on; "
                             "take one that makes features, such as log_mel")
        self.number = backbone.subsampling
        self.num_features = frontend.num_features
        self.mask = self.make_mask(frontend, backbone)

    def make_mask(self, frontend, backbone) -> FeatureMask | None:
        """The layer that hides features; none unless an objective says so."""

    def encode(self, value):
        return 0

    def loss(self):
        return RowLoss(name=f"{self.name}_loss")

    def get_build_config(self):
        """None: it is built where it is connected, and a shape doesn't say to what."""

    def metrics_for_fit(self):
        return [RowMeasure(column, name=f"{self.name}_{name}") for column, name in enumerate(self.measures, 1)]


@keras.saving.register_keras_serializable(package="speechzoo")
class WholeFeatures(keras.layers.Layer):
    """Features as they are after training, without SpecAugment, and without a gradient.

    Args:
        frontend: The front end, which is built.
    """

    def __init__(self, frontend, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.frontend = frontend

    def call(self, audio, audio_length):
        """Audio (batch, samples) -> features (batch, frames, bins), and int32 (batch,) frames."""
        features, lengths = self.frontend(audio, audio_length, training=False)
        return ops.stop_gradient(ops.cast(features, "float32")), lengths


@keras.saving.register_keras_serializable(package="speechzoo")
class RowLoss(keras.losses.Loss):
    """The mean of losses that the rows of an output (batch, 1 + measures) begin with, over those with weight."""

    def __init__(self, name="row_loss", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        """Anything, outputs (batch, 1 + measures) -> float32 (batch,)."""
        # Keras drops a last axis of one.
        return ops.reshape(y_pred, (ops.shape(y_pred)[0], -1))[:, 0]


@keras.saving.register_keras_serializable(package="speechzoo")
class RowMeasure(keras.metrics.Mean):
    """The mean over the rows with weight of one column of an output (batch, 1 + measures)."""

    def __init__(self, column: int, name="row_measure", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.column = column

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred[:, self.column], sample_weight=sample_weight)

    def get_config(self):
        return {**super().get_config(), "column": self.column}
