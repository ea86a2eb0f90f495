"""A SavedModel, run the way TensorFlow Serving runs it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

INIT_SIGNATURE = "__saved_model_init_op"  # TensorFlow's own, not for callers


class ServedModel:
    """The tag `serve` of a SavedModel in a TensorFlow 1 session: the loader and the calls that TensorFlow Serving uses.

    Args:
        folder: The SavedModel: a folder with `saved_model.pb`.

    Attributes:
        signatures: Signature name -> SignatureDef.

    Raises:
        OSError: No SavedModel there.
    """

    def __init__(self, folder: str | Path):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("ERROR")  # the loader warns that it is of TensorFlow 1, which is why it is used
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.loader.load(
                    self._session, [tf.saved_model.SERVING], str(folder))
        finally:
            logger.setLevel(level)
        self.signatures = {name: signature for name, signature in meta_graph.signature_def.items()
                           if name != INIT_SIGNATURE}

    def run(self, signature: str, inputs: dict[str, np.ndarray],
            outputs: list[str] | None = None) -> dict[str, np.ndarray]:
        """Runs one signature.

        Args:
            signature: Its name.
            inputs: Input name -> array; exactly the signature's inputs.
            outputs: Names of the outputs to fetch. Default: all.

        Raises:
            ValueError: A signature, input or output that the model doesn't have.
            tf.errors.InvalidArgumentError: The graph refuses the input.
        """
        if signature not in self.signatures:
            raise ValueError(f"no signature '{signature}'; the model has: {', '.join(sorted(self.signatures))}")
        definition = self.signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise ValueError(f"inputs of '{signature}' are {sorted(definition.inputs)}, got {sorted(inputs)}")
        unknown = [name for name in outputs or () if name not in definition.outputs]
        if unknown:
            raise ValueError(f"'{signature}' has no output '{unknown[0]}'; it has: {sorted(definition.outputs)}")
        fetches = {name: info.name for name, info in definition.outputs.items() if not outputs or name in outputs}
        return self._session.run(fetches, {definition.inputs[name].name: value for name, value in inputs.items()})

    def close(self):
        """Frees the session."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
