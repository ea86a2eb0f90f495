"""Audio that goes on beyond its ends, for frames that stand in the middle of their windows."""

from keras import ops


def mirror_ends(audio, audio_length, count: int):
    """The audio between `count` samples of its own reflection at its beginning and as many at its end.

    Args:
        audio: (batch, samples).
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        count: Samples of reflection on either side.

    Returns:
        (batch, samples + 2 * count); what stands behind a row's reflection has no meaning.
    """
    before = ops.flip(audio[:, 1:count + 1], axis=1)
    if audio_length is None:
        return ops.concatenate([before, audio, ops.flip(audio[:, -count - 1:-1], axis=1)], axis=1)
    positions = ops.arange(ops.shape(audio)[1] + count, dtype="int32")[None, :]
    last = ops.cast(audio_length, "int32")[:, None] - 1
    mirrored = ops.where(positions > last, 2 * last - positions, positions)
    return ops.concatenate([before, ops.take_along_axis(audio, ops.maximum(mirrored, 0), axis=1)], axis=1)
