"""Autoregressive predictive coding: what comes next."""

import keras
from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import FrameDense
from speechzoo.pretraining.frames import normalize, row_means, stack_frames
from speechzoo.pretraining.objective import Objective


@keras.saving.register_keras_serializable(package="speechzoo")
class APC(Objective):
    """Predicts features that follow from those so far; for causal backbones, because others see them.

    The loss is the mean absolute error of normalised features (of each bin, over the recording), where the prediction
    lies `shift_seconds` ahead of all that the frame has seen: the rest of its chunk is seen, too.

    Args:
        shift_seconds: How far ahead, rounded up to whole output frames.

    Returns:
        float32 (batch, 1), the mean absolute error of each recording, standard deviations.

    Reference: Chung et al. 2019, https://arxiv.org/abs/1904.03240, equation 2; their best shift is three frames of 10
    ms.
    """

    def __init__(self, shift_seconds: float = 0.03, **kwargs):
        super().__init__(**kwargs)
        self.shift_seconds = shift_seconds

    def connect(self, frontend, backbone):
        if self.built:
            return
        super().connect(frontend, backbone)
        if not (backbone.causal and frontend.causal):
            raise ValueError(f"head '{self.name}' predicts what comes next, which this network sees: set causal: true "
                             "for its front end and its backbone, or take masked_prediction or best_rq")
        frame_seconds = frontend.frame_seconds * self.number
        ahead = max(1, int(-(-self.shift_seconds // frame_seconds)))
        # The first frame of a chunk has seen all of it.
        self.shift = backbone.chunk - 1 + ahead
        self.prediction = FrameDense(self.number * self.num_features, dtype=self.dtype_policy, name="prediction")

    def build(self, frames_shape, *_):
        self.prediction.build((None, None, frames_shape[-1]))

    def call(self, frames, lengths, features, feature_lengths, hidden=None, training=False):
        """Frames (batch, frames, channels), features (batch, feature frames, bins) -> errors (batch, 1)."""
        predicted = self.prediction(frames)
        num_frames = ops.shape(frames)[1]
        wanted, valid = (stack_frames(values, self.number, num_frames + self.shift)[:, self.shift:]
                         for values in (normalize(features, feature_lengths),
                                        sequence_mask(feature_lengths, features) * ops.ones_like(features)))
        valid = valid * sequence_mask(lengths, predicted)
        return row_means(ops.abs(predicted - wanted), valid)[:, None]

    def spec(self):
        return {"type": "apc", "label": self.label}

    def get_config(self):
        return {**super().get_config(), "shift_seconds": self.shift_seconds}
