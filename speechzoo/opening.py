"""Opening what people call a model, and asking it: a zoo model, a training run, or an exported file.

A device has this module too, so nothing is imported that only a larger computer has.
"""

from pathlib import Path

import numpy as np


def open_model(source):
    """Opens what people call a model.

    Args:
        source: Name of a zoo model, folder of a training run, path of a `.tflite` file, or a model, which is returned.

    Raises:
        ValueError, OSError: There is no such model, or its files can't be used; the message says why.
    """
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    if path.suffix == ".tflite":
        from speechzoo.edge.edge_model import EdgeModel

        return EdgeModel(path)
    from speechzoo.registry import load

    return load(str(source))


def model_spec(model) -> dict:
    """The spec of a MultiTaskModel or of an EdgeModel."""
    return model.spec() if callable(model.spec) else model.spec


def batch_outputs(model, audio: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
    """The heads' outputs of several utterances.

    Args:
        model: A MultiTaskModel, which takes them in one padded batch, or an EdgeModel, which takes one by one.
        audio: float32 (samples,) each.
        heads: Heads that are needed, which an EdgeModel may answer from fewer layers; all when None.
    """
    if not audio:
        return []
    if not hasattr(model, "predict_on_batch"):
        return [model.outputs(samples, heads) for samples in audio]
    lengths = np.array([max(len(samples), model.minimum_samples) for samples in audio], np.int32)
    padded = np.zeros((len(audio), lengths.max()), np.float32)
    for row, samples in zip(padded, audio):
        row[:len(samples)] = samples
    outputs = model.predict_on_batch({"audio": padded, "audio_length": lengths})
    outputs = {name: np.asarray(output) for name, output in outputs.items()}
    return [{name: output[row] for name, output in outputs.items()} for row in range(len(audio))]
