"""Features of which spans and bands are hidden, so that a network has something to guess."""

import keras
from keras import ops

from speechzoo.layers.masking import sequence_mask


@keras.saving.register_keras_serializable(package="speechzoo")
class FeatureMask(keras.layers.Layer):
    """Hides spans of frames, and a band of bins, also outside training: there by the same random numbers each time.

    A span begins at each output frame with `probability`, and at one of them at least; it covers whole output frames,
    of the recording only, and at most half of them. What is hidden is replaced by noise around the mean of what isn't,
    so that nothing of it is left.

    Args:
        probability: That a span begins at an output frame.
        span: Length of a span, output frames.
        number: Feature frames per output frame.
        band: Widest band that is hidden, bins; 0 hides none.
        noise: Standard deviation of the noise, in standard deviations of what isn't hidden.
        seed: Seed of the masks.

    Call arguments:
        features: float32 (batch, frames, bins).
        lengths: int32 (batch,).
    """

    def __init__(self, probability: float, span: int, number: int = 1, band: int = 0, noise: float = 0.0,
                 seed: int = 0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.probability = probability
        self.span = span
        self.number = number
        self.band = band
        self.noise = noise
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, features, lengths, training=False):
        """Features (batch, frames, bins) -> what is left of them, and 1 where they are hidden, of the same shape."""
        valid = sequence_mask(lengths, features)
        hidden = self._spans(features, lengths, training)[..., None] * ops.ones_like(features[:, :1])
        if self.band:
            hidden = ops.maximum(hidden, self._bands(features, training))
        hidden = hidden * valid
        seen = (1.0 - hidden) * valid
        count = ops.maximum(ops.sum(seen, axis=(1, 2), keepdims=True), 1.0)
        mean = ops.sum(features * seen, axis=(1, 2), keepdims=True) / count
        filling = mean
        if self.noise:
            variance = ops.sum(ops.square(features - mean) * seen, axis=(1, 2), keepdims=True) / count
            drawn = keras.random.normal(ops.shape(features), dtype="float32", seed=self._seed(training, 4))
            filling = mean + self.noise * ops.sqrt(variance) * drawn
        return features * (1.0 - hidden) + filling * hidden, hidden

    def _spans(self, features, lengths, training):
        """1 in the frames of spans: float32 (batch, frames)."""
        batch, frames, _ = ops.shape(features)
        # One number for each output frame, drawn where its first feature frame is.
        drawn = self._uniform((batch, frames), training, 0)[:, ::self.number]
        place = ops.arange(ops.shape(drawn)[1], dtype="int32")
        # Features behind the last whole output frame are of no use: one that is hidden in part teaches nothing.
        length = ops.maximum(ops.cast(lengths // self.number, "int32"), 1)[:, None]
        begins = ops.logical_and(drawn < self.probability, place < length)
        chosen = ops.cast(self._uniform((batch, 1), training, 1) * ops.cast(length, "float32"), "int32")
        without = ops.logical_not(ops.any(begins, axis=1, keepdims=True))
        begins = ops.logical_or(begins, ops.logical_and(without, place == chosen))
        # A frame is hidden when a span began in the last `span` frames, itself included.
        begun = ops.pad(ops.cumsum(ops.cast(begins, "int32"), axis=1), ((0, 0), (1, 0)))
        span = ops.minimum(self.span, ops.maximum(length // 2, 1))
        before = ops.take_along_axis(begun, ops.maximum(place + 1 - span, 0), axis=1)
        inside = ops.cast(begun[:, 1:] > before, "float32")
        return ops.take(inside, ops.arange(frames, dtype="int32") // self.number, axis=1)

    def _bands(self, features, training):
        """1 in the bins of a band, float32 (batch, 1, bins); its width is drawn from 0 to `band`."""
        batch, bins = ops.shape(features)[0], features.shape[-1]
        width = ops.floor(self._uniform((batch, 1, 1), training, 2) * (self.band + 1))
        start = ops.floor(self._uniform((batch, 1, 1), training, 3) * (bins - width + 1))
        place = ops.cast(ops.arange(bins, dtype="int32"), "float32")
        return ops.cast(ops.logical_and(place >= start, place < start + width), "float32")

    def _uniform(self, shape, training, number):
        return keras.random.uniform(shape, dtype="float32", seed=self._seed(training, number))

    def _seed(self, training, number):
        # What is measured on held-out recordings must not change by chance.
        return self.seed_generator if training else self.seed + number

    def get_config(self):
        return {**super().get_config(), "probability": self.probability, "span": self.span, "number": self.number,
                "band": self.band, "noise": self.noise, "seed": self.seed}
