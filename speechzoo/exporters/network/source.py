"""What a quantizer makes a network of: a SavedModel, and recordings to calibrate with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Source:
    """A SavedModel on its way to a network.

    Attributes:
        path: The SavedModel.
        signatures: Those that the network shall have; they share its weights.
        has_variables: Whether the network keeps values of its own, which its signatures read and write.
        examples: What to calibrate with, each with a batch axis of 1: float32 (1, samples), or what the quantizer asks
            for.
        sensitivity_spec: The model's spec, where layers that would lose answers in int8 are to stay in float32; None
            elsewhere.
    """

    path: Path
    signatures: list[str]
    has_variables: bool
    examples: list[np.ndarray]
    sensitivity_spec: dict | None = None

    def converter(self):
        """TensorFlow's converter for it, to TFLite's own operators."""
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_saved_model(str(self.path), signature_keys=self.signatures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = self.has_variables
        return converter

    def calibrated_converter(self, calls: list[tuple[str, dict]]):
        """The converter that makes what it can int8, calibrated with calls: (signature, its inputs by name)."""
        import tensorflow as tf

        converter = self.converter()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(calls)
        return converter

    def network(self) -> bytes:
        """The network in float32."""
        return self.converter().convert()

    def calls(self) -> list[tuple[str, dict]]:
        """(signature, its inputs by name) for each signature and recording; for a stream, for each of its steps."""
        import tensorflow as tf

        functions = tf.saved_model.load(str(self.path)).signatures
        return [call for name in self.signatures for call in _calls(name, functions[name], self.examples)]


def _calls(signature, function, examples) -> Iterator[tuple[str, dict]]:
    import tensorflow as tf

    inputs = function.structured_input_signature[1]
    zeros = {name: np.zeros(spec.shape, np.float32) for name, spec in inputs.items()
             if name not in ("audio", "samples")}
    for audio in examples:
        if "samples" not in inputs:
            yield signature, {"audio": audio}
            continue
        step, state = inputs["samples"].shape[1], zeros
        for start in range(0, audio.shape[1] - step + 1, step):
            call = {"samples": audio[:, start:start + step], **state}
            yield signature, call
            answers = function(**{name: tf.constant(value) for name, value in call.items()})
            state = {name: answers[name].numpy() for name in zeros}
