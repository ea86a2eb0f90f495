"""A dense layer over channels, for hidden values with and without frequency bins."""

from speechzoo.layers.quantizable import Conv2D, FrameDense


def pointwise(size: int, rank: int, **options):
    """A layer with a product over the last axis of a tensor of `rank` dimensions.

    Args:
        size: Channels out.
        rank: 3 for (batch, time, channels), 4 for (batch, time, bins, channels).
        **options: As of `keras.layers.Dense`.
    """
    # A convolution of one point is one operator on a device; a dense layer over four dimensions is many.
    return FrameDense(size, **options) if rank == 3 else Conv2D(size, 1, **options)
