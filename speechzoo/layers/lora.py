"""LoRA: what a layer's kernel learns beside what it was is a product of two small matrices."""

import contextlib
import contextvars
import fnmatch
import math
from collections.abc import Iterable

import keras
from keras import ops

# Names of the two matrices, beside the kernel of a layer.
DOWN, UP = "lora_down", "lora_up"
_CHOSEN = contextvars.ContextVar("low_rank", default=None)


@contextlib.contextmanager
def low_rank(rank: int, patterns: Iterable[str]):
    """Layers that are built in this context, and whose kernels match a pattern, learn a low-rank update of the kernel.

    The kernel, as a matrix of all that an output channel extends over times the channels, becomes kernel + down x up,
    with `down` (rows, rank) random and `up` (rank, columns) zero: it begins as it was. Rank is at most that of the
    matrix. There is no factor before the product: it acts as a learning rate does (section 4.1).

    Reference: Hu et al. 2022, https://arxiv.org/abs/2106.09685, equation 3; of convolutions, as a matrix of their whole
    receptive field.

    Args:
        rank: Columns of `down`.
        patterns: Shell-style patterns on paths of kernels (`backbone/block_1/*`); `*` matches slashes too.

    Example:
        >>> from speechzoo.layers.quantizable import Dense
        >>> with low_rank(2, ["*"]):
        ...     layer = Dense(8, name="dense")
        ...     layer.build((None, 4))
        >>> [tuple(weight.shape) for weight in layer.weights]
        [(4, 8), (8,), (4, 2), (2, 8)]
    """
    token = _CHOSEN.set((rank, list(patterns)))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def add_update(layer: keras.layers.Layer, rows: int) -> tuple | None:
    """The two matrices of a layer that is being built, if its kernel is chosen.

    Args:
        layer: The layer; it has its kernel.
        rows: Leading axes of the kernel that an output channel extends over.
    """
    if _CHOSEN.get() is None:
        return None
    rank, patterns = _CHOSEN.get()
    kernel = layer.kernel
    if not any(fnmatch.fnmatchcase(kernel.path, pattern) for pattern in patterns):
        return None
    inputs, outputs = math.prod(kernel.shape[:rows]), math.prod(kernel.shape[rows:])
    rank = min(rank, inputs, outputs)
    return (layer.add_weight(name=DOWN, shape=(inputs, rank), initializer="he_uniform"),
            layer.add_weight(name=UP, shape=(rank, outputs), initializer="zeros"))


def update_of(down, up, kernel):
    """The update (rows, rank) x (rank, columns), in the shape and type of the kernel."""
    product = ops.matmul(ops.convert_to_tensor(down), ops.convert_to_tensor(up))
    return ops.cast(ops.reshape(product, kernel.shape), kernel.dtype)


def is_update(path: str) -> bool:
    """Whether a weight is one of the two matrices."""
    return path.rpartition("/")[2] in (DOWN, UP)


def kernel_path(path: str) -> str:
    """The path of the kernel that a matrix is an update of."""
    return f"{path.rpartition('/')[0]}/kernel"
