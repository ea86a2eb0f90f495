"""Masks from lengths."""

import keras
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


def lowest(dtype) -> float:
    """A number below everything that is compared with it, finite in this type."""
    return -3e4 if keras.backend.standardize_dtype(dtype) == "float16" else -1e9


def excluding(mask):
    """What is added to scores so that a softmax or maximum leaves nothing of those with mask 0; 0 for those with 1."""
    return (1.0 - mask) * lowest(mask.dtype)
