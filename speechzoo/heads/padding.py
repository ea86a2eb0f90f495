"""Logits of frames that mark their own padding, so that losses, metrics and decoders need no lengths."""

import numpy as np
from keras import ops

from speechzoo.heads.ctc_loss import IMPOSSIBLE
from speechzoo.layers.masking import sequence_mask


def mark_padding(logits, lengths):
    """Gives class 0 (blank, or silence) probability one in the padding.

    Args:
        logits: (batch, frames, classes).
        lengths: int32 (batch,), frames that are not padding; None when nothing is padded.
    """
    mask = sequence_mask(lengths, logits)
    if mask is None:
        return logits
    certain = np.full(logits.shape[-1], IMPOSSIBLE, np.float32)
    certain[0] = 0.0
    return ops.where(mask > 0, logits, ops.cast(certain, logits.dtype))


def not_padding(logits):
    """Which frames `mark_padding` left as they were: bool (batch, frames)."""
    return logits[..., 1] > IMPOSSIBLE / 2


def pad_frames(batches: list[np.ndarray], zeros: bool = False) -> list[np.ndarray]:
    """Outputs (batch, frames, channels) of several batches with the frames of the longest.

    Args:
        batches: float32 arrays; the number of frames may differ.
        zeros: Pad with zeros; otherwise as `mark_padding` pads logits.
    """
    longest = max(logits.shape[1] for logits in batches)
    padded = []
    for logits in batches:
        size = (0, 0), (0, longest - logits.shape[1]), (0, 0)
        logits = np.pad(logits, size, constant_values=0.0 if zeros else IMPOSSIBLE)
        logits[:, longest - size[1][1]:, 0] = 0.0
        padded.append(logits)
    return padded
