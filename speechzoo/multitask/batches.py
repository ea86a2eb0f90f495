"""Inputs of `predict` batch by batch, and its outputs as one array per head."""

from collections.abc import Iterator
from itertools import islice

import keras
import numpy as np

from speechzoo.heads.padding import pad_frames


def input_batches(x, batch_size: int | None = None, steps: int | None = None) -> tuple[Iterator, int | None]:
    """The inputs of a model, batch by batch, and the number of batches; None when it can't be known.

    Args:
        x: An array (rows, ...), a dict of such arrays, or whatever gives batches: (inputs, ...) or inputs alone.
        batch_size: Rows of a batch of arrays; 32 when None.
        steps: Batches to take; all when None.

    Raises:
        ValueError: `batch_size` for what gives batches already.
    """
    arrays = x.values() if isinstance(x, dict) else [x]
    if all(hasattr(array, "shape") for array in arrays):
        rows, size = len(next(iter(arrays))), batch_size or 32
        number = -(-rows // size)
        batches = (keras.tree.map_structure(lambda array: array[start:start + size], x)
                   for start in range(0, rows, size))
    else:
        if batch_size is not None:
            raise ValueError("predict: batch_size is for arrays; a dataset has batches already")
        try:
            number = len(x)
        except TypeError:
            number = None
        items = (x[index] for index in range(number)) if isinstance(x, keras.utils.PyDataset) else iter(x)
        batches = (keras.utils.unpack_x_y_sample_weight(item)[0] for item in items)
    if steps is None:
        return batches, number
    return islice(batches, steps), steps if number is None else min(steps, number)


def join_outputs(batches: list[dict], heads: dict) -> dict[str, np.ndarray]:
    """The outputs of several batches, {head: (batch, ...)} each, as those of one; outputs by frame are padded.

    Args:
        batches: Outputs by name of head.
        heads: Name -> head.
    """
    joined = {}
    for name in batches[0] if batches else []:
        outputs = [np.asarray(batch[name]) for batch in batches]
        by_frame = outputs[0].ndim == 3
        joined[name] = np.concatenate(pad_frames(outputs, heads[name].zero_padding) if by_frame else outputs)
    return joined
