"""Masks from lengths."""

from keras import ops


def sequence_mask(lengths, like):
    """1 in the rows' real part, 0 in their padding.

    Args:
        lengths: int32 (batch,), or None when nothing is padded.
        like: (batch, time, ...) tensor that gives time and type.

    Returns:
        (batch, time, 1) of `like`'s type, or None without lengths.
    """
    if lengths is None:
        return None
    positions = ops.arange(ops.shape(like)[1], dtype="int32")
    return ops.cast(positions[None, :] < ops.cast(lengths, "int32")[:, None], like.dtype)[..., None]
