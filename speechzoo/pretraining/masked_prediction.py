"""Masked prediction of features, along time and frequency."""

import keras
from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import FrameDense
from speechzoo.pretraining.feature_mask import FeatureMask
from speechzoo.pretraining.frames import normalize, row_means, stack_frames
from speechzoo.pretraining.objective import Objective


@keras.saving.register_keras_serializable(package="speechzoo")
class MaskedPrediction(Objective):
    """Predicts hidden spans and a hidden band of the features from what is left of them.

    The loss is the mean absolute error of normalised features (of each bin, over the recording) where they were
    hidden, behind one hidden layer.

    Args:
        mask_share: Share of the frames that spans hide, where none overlap.
        mask_seconds: Length of a span.
        band_share: Widest band, as a share of the bins; 0 hides none.
        hidden_size: Channels of the hidden layer.
        seed: Seed of the masks.

    Returns:
        float32 (batch, 1), the mean absolute error of each recording, standard deviations.

    Reference: Liu et al. 2021, TERA, https://arxiv.org/abs/2007.06028, section III (15 % of the frames in spans of
    seven, a band of up to a fifth of the bins); without bands it is Mockingjay, Liu et al. 2020,
    https://arxiv.org/abs/1910.12638. Hidden parts are always replaced by the mean here, never by other frames.
    """

    def __init__(self, mask_share: float = 0.15, mask_seconds: float = 0.08, band_share: float = 0.2,
                 hidden_size: int = 256, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.mask_share = mask_share
        self.mask_seconds = mask_seconds
        self.band_share = band_share
        self.hidden_size = hidden_size
        self.seed = seed
        self.expand = FrameDense(hidden_size, activation="gelu", dtype=self.dtype_policy, name="expand")

    def make_mask(self, frontend, backbone):
        span = max(1, round(self.mask_seconds / (frontend.frame_seconds * backbone.subsampling)))
        return FeatureMask(self.mask_share / span, span, backbone.subsampling,
                           band=int(self.band_share * frontend.num_features), seed=self.seed, name=f"{self.name}_mask")

    def connect(self, frontend, backbone):
        if self.built:
            return
        super().connect(frontend, backbone)
        self.prediction = FrameDense(self.number * self.num_features, dtype=self.dtype_policy, name="prediction")

    def build(self, frames_shape, *_):
        self.expand.build((None, None, frames_shape[-1]))
        self.prediction.build((None, None, self.hidden_size))

    def call(self, frames, lengths, features, feature_lengths, hidden, training=False):
        """Frames (batch, frames, channels), features (batch, feature frames, bins) -> errors (batch, 1)."""
        predicted = self.prediction(self.expand(frames))
        num_frames = ops.shape(frames)[1]
        wanted, weights = (stack_frames(values, self.number, num_frames)
                           for values in (normalize(features, feature_lengths), hidden))
        weights = weights * sequence_mask(lengths, frames)
        return row_means(ops.abs(predicted - wanted), weights)[:, None]

    def spec(self):
        return {"type": "masked_prediction", "label": self.label}

    def get_config(self):
        return {**super().get_config(), "mask_share": self.mask_share, "mask_seconds": self.mask_seconds,
                "band_share": self.band_share, "hidden_size": self.hidden_size, "seed": self.seed}
