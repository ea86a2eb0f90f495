"""A network for each task, fused after every block by a discriminative reduction of all their channels."""

import keras
import numpy as np
from keras import ops

from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.pointwise import pointwise
from speechzoo.multitask.sharing.cross_stitch import StitchedSharing, shares_of_tasks


@keras.saving.register_keras_serializable(package="speechzoo")
class NDDRSharing(StitchedSharing):
    """NDDR-CNN: after each block, a task gets a learnt projection of the channels of all tasks, then batch-normalised.

    F'_s = [F_1, ..., F_T] W_s with W_s of (T x channels, channels). Unlike in cross-stitch networks every channel sees
    every other. Reference: Gao et al. 2019, https://arxiv.org/abs/1801.08297, equation 3 and section 3.4, with its
    diagonal start (0.9 of a task's own, the rest from the others).

    Args:
        backbone, tasks, own: See `StitchedSharing`.
        batch_norm: The normalisation of the paper; False suits batches whose statistics differ from one to the next.
    """

    def __init__(self, backbone, tasks: list[str], own: float = 0.9, batch_norm: bool = True):
        self.batch_norm = batch_norm
        super().__init__(backbone, tasks, own)

    def mixer(self, name: str):
        return NDDR(self.own, self.batch_norm, name=name)

    def get_config(self):
        return {**super().get_config(), "batch_norm": self.batch_norm}


@keras.saving.register_keras_serializable(package="speechzoo")
class NDDR(keras.layers.Layer):
    """Fuses tensors of one shape into as many, each by a product over all channels.

    Args:
        own: First weight of a channel of a tensor in its own fusion; the same channel of the others has the rest.
        batch_norm: Whether a batch normalisation follows.

    Call arguments:
        hidden: List of (batch, time, [bins,] channels).
        valid: Ones and zeros that leave padding out of the statistics, or None.
    """

    def __init__(self, own: float = 0.9, batch_norm: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.own = own
        self.batch_norm = batch_norm

    def build(self, hidden_shape, *_):
        count, channels, rank = len(hidden_shape), hidden_shape[0][-1], len(hidden_shape[0])
        self.projections, self.norms = [], []
        for target in range(count):
            projection = pointwise(channels, rank, use_bias=False, name=f"projection_{target}",
                                   kernel_initializer=_diagonal(shares_of_tasks(self.own, count)[target]))
            projection.build((*hidden_shape[0][:-1], count * channels))
            self.projections.append(projection)
            if self.batch_norm:
                norm = batch_norm(f"norm_{target}")
                norm.build(hidden_shape[0])
                self.norms.append(norm)

    def call(self, hidden, valid=None, training=False):
        """List of (batch, time, [bins,] channels) -> as many of the same shape."""
        together = ops.concatenate(hidden, axis=-1)
        mixed = [projection(together) for projection in self.projections]
        if self.batch_norm:
            mixed = [norm(values, valid, training=training) for norm, values in zip(self.norms, mixed)]
        return mixed if valid is None else [values * valid for values in mixed]

    def get_config(self):
        return {**super().get_config(), "own": self.own, "batch_norm": self.batch_norm}


def _diagonal(shares):
    """Starts a kernel that adds up the same channel of all tensors, each times its share."""

    def start(shape, dtype=None):
        kernel = np.concatenate([share * np.eye(shape[-1]) for share in shares])
        return ops.convert_to_tensor(kernel.reshape(shape), dtype)

    return start
