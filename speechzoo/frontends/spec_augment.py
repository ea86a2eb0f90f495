"""SpecAugment (Park et al. 2019, https://arxiv.org/abs/1904.08779): masks of frequency bands and time spans."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="speechzoo")
class SpecAugment(keras.layers.Layer):
    """Sets random bands and spans of the features to zero, in training only; each row gets its own.

    Zero is the mean of normalised features, so a mask removes information without adding any.

    Args:
        frequency_masks: Number of masked bands.
        frequency_mask_width: Widest band, mel bins.
        time_masks: Number of masked spans.
        time_mask_fraction: Longest span as a fraction of the utterance (adaptive size, Park et al. 2020).
        seed: Seed of the masks.

    Call arguments:
        features: (batch, frames, mel bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Example:
        >>> layer = SpecAugment(frequency_masks=1, time_masks=1)
        >>> layer(keras.ops.ones((2, 100, 40)), training=False).shape
        TensorShape([2, 100, 40])
    """

    def __init__(self, frequency_masks: int = 2, frequency_mask_width: int = 15, time_masks: int = 4,
                 time_mask_fraction: float = 0.05, seed: int = 0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.frequency_masks = frequency_masks
        self.frequency_mask_width = frequency_mask_width
        self.time_masks = time_masks
        self.time_mask_fraction = time_mask_fraction
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, features, lengths=None, training=False):
        """Features (batch, frames, mel bins) -> the same shape; unchanged unless `training`."""
        if not training:
            return features
        batch, frames, bins = ops.shape(features)
        widest_band = float(self.frequency_mask_width)
        bands = self._keep(batch, self.frequency_masks, bins, widest_band, ops.cast(bins, "float32"))
        valid = ops.cast(ops.broadcast_to(frames, (batch,)) if lengths is None else lengths, "float32")[:, None]
        spans = self._keep(batch, self.time_masks, frames, valid * self.time_mask_fraction, valid)
        return features * bands[:, None, :] * spans[:, :, None]

    def _keep(self, batch, masks, size, widest, end):
        """1 where nothing is masked, 0 inside any mask: float (batch, size)."""
        if not masks:
            return ops.ones((batch, size), self.compute_dtype)
        width = self._draw(batch, masks, ops.floor(widest) + 1.0)
        start = self._draw(batch, masks, end - width + 1.0)
        position = ops.cast(ops.arange(size, dtype="int32"), "float32")[None, None, :]
        masked = ops.logical_and(position >= start[..., None], position < (start + width)[..., None])
        return ops.cast(ops.logical_not(ops.any(masked, axis=1)), self.compute_dtype)

    def _draw(self, batch, masks, bound):
        """Whole numbers from 0 up to but not including `bound`: (batch, masks)."""
        return ops.floor(keras.random.uniform((batch, masks), dtype="float32", seed=self.seed_generator) * bound)

    def get_config(self):
        return {**super().get_config(), "frequency_masks": self.frequency_masks,
                "frequency_mask_width": self.frequency_mask_width, "time_masks": self.time_masks,
                "time_mask_fraction": self.time_mask_fraction, "seed": self.seed}
