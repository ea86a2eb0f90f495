"""Averages of weights: moving ones that the optimizer keeps, and plain ones of several files."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from speechzoo.weights import read_arrays, write_arrays


@contextlib.contextmanager
def averaged_weights(model: keras.Model):
    """Inside this context `model` has the optimizer's moving averages (`use_ema=True`) in place of its weights.

    The optimizer keeps them as variables of its own, so they are stored and restored with it. Without moving averages,
    or before the first step, the weights stay as they are.
    """
    averages = _averages(model)
    if not averages:
        yield
        return
    weights = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    for variable, average in zip(model.trainable_variables, averages):
        # Through NumPy: on JAX two variables that share a buffer are freed together.
        variable.assign(keras.ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, weights):
            variable.assign(value)


def average_files(paths: Sequence[str | Path], output: str | Path):
    """Writes the mean of several weights files of one model: checkpoint averaging (Popel and Bojar 2018, section 4.7).

    Counters and other integers come from the last file.
    """
    files = [read_arrays(path) for path in paths]
    means = {}
    for name, last in files[-1].items():
        if np.issubdtype(last.dtype, np.floating):
            # In double precision, so that the mean of equal files is that file exactly. Earlier versions wrote less.
            values = [file[name] for file in files if name in file]
            means[name] = np.mean(values, axis=0, dtype=np.float64).astype(last.dtype)
        else:
            means[name] = last
    write_arrays(output, means)


def _averages(model):
    optimizer = model.optimizer
    if not optimizer.use_ema or int(optimizer.iterations) == 0:
        return []
    # Keras names them "<variable>_average" and keeps them in the order of the trainable variables.
    averages = [variable for variable in optimizer.variables if variable.name.endswith("_average")]
    if [a.shape for a in averages] != [v.shape for v in model.trainable_variables]:
        raise RuntimeError("the optimizer's moving averages don't line up with the model's trainable variables")
    return averages
