"""Features as targets of output frames: normalised, and as many side by side as a frame of the backbone stands for."""

from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import utterance_mean


def normalize(features, lengths):
    """Mean 0 and variance 1 of each bin over the frames that are not padding.

    Args:
        features: float32 (batch, frames, bins).
        lengths: int32 (batch,).

    Returns:
        float32 (batch, frames, bins), zero in the padding.
    """
    valid = sequence_mask(lengths, features)
    centred = (features - utterance_mean(features, valid)) * valid
    return centred * ops.rsqrt(utterance_mean(ops.square(centred), valid) + 1e-5)


def stack_frames(values, number: int, num_frames):
    """The `number` feature frames that each output frame stands for, side by side.

    Args:
        values: (batch, frames, bins).
        number: Feature frames per output frame.
        num_frames: Output frames.

    Returns:
        (batch, num_frames, number x bins), zero behind the end.
    """
    batch, frames, bins = ops.shape(values)
    place = ops.arange(num_frames * number, dtype="int32")
    inside = ops.cast(place < frames, values.dtype)[None, :, None]
    taken = ops.take(values, ops.minimum(place, frames - 1), axis=1) * inside
    return ops.reshape(taken, (batch, num_frames, number * bins))


def row_means(values, weights):
    """Weighted means of each row over all other axes, (batch,); 0 of a row without weight."""
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values * weights, axis=axes) / ops.maximum(ops.sum(weights, axis=axes), 1.0)
