"""What an exported file can be asked: how the exporter writes it, and how it measures it."""

import abc

import numpy as np

from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import HeadParity


class Signature(abc.ABC):
    """One choice of `--signatures`, for one model.

    Args:
        model: A `MultiTaskModel`, which the signature applies to.
        spec: The model's spec.
        recordings: float32 (samples,) each, which the export is measured on.

    Attributes:
        name: What it is called on the command line and, unless `names` says more, in the file.
        has_variables: Whether the file keeps values for it. Such a file computes in floats, and has the signature only
            where it is asked for.
        heads: Names of the heads that it answers.
        variables: The `tf.Module` objects that own variables of its own; those of the model are the model's.
    """

    name = ""
    has_variables = False

    def __init__(self, model, spec: dict, recordings: list[np.ndarray]):
        self.model, self.spec, self.recordings = model, spec, recordings
        self.heads = self.heads_of(model, spec)
        self.variables = []

    @classmethod
    @abc.abstractmethod
    def heads_of(cls, model, spec: dict) -> list[str]:
        """Names of the heads of a model that the signature would answer; none where it doesn't apply."""

    @abc.abstractmethod
    def endpoints(self) -> list[Endpoint]:
        """The functions that it adds to the file."""

    @abc.abstractmethod
    def measure(self, device: EdgeModel, expected: list[dict], quantize: str) -> list[HeadParity]:
        """How far what the file answers is from the Keras model.

        Args:
            device: The file.
            expected: What the Keras model answers to each of `recordings`: head -> array without the batch axis.
            quantize: The quantization, for the tolerances.
        """
