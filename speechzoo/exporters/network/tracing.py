"""Keras model -> SavedModel: what a converter reads, and what TensorFlow Serving serves."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras

from speechzoo.exporters.errors import ExportError


class Endpoint(NamedTuple):
    """A function of a SavedModel.

    Attributes:
        name: The signature's name.
        function: TensorFlow's part of the work: inputs in the order of `inputs` -> output name -> tensor.
        inputs: A `tf.TensorSpec` per input, or a dictionary of them for a function of one dictionary.
    """

    name: str
    function: Callable[..., dict]
    inputs: list


def require_tensorflow(what: str):
    """Raises ExportError where Keras runs on another backend than TensorFlow.

    Args:
        what: What is to be exported, in the plural.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(f"{what} are exported by the TensorFlow backend, this is '{keras.backend.backend()}'; save "
                          "the weights and load them with KERAS_BACKEND=tensorflow")


def write_saved_model(path: Path, endpoints: Iterable[Endpoint], tracked: Iterable[Any]):
    """Traces functions and writes them with the variables that they use.

    Args:
        path: Folder to write.
        endpoints: What the SavedModel can be asked.
        tracked: Whatever owns the variables: models and `tf.Module` objects.

    Raises:
        ExportError: A function can't be traced.
    """
    archive = keras.export.ExportArchive()
    for owner in tracked:
        archive.track(owner)
    try:
        for endpoint in endpoints:
            archive.add_endpoint(*endpoint)
        archive.write_out(str(path), verbose=False)
    except (ValueError, TypeError) as error:
        raise ExportError(f"the model can't be traced: {' '.join(str(error).split())[:300]}") from error
