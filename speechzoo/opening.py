"""Opening what people call a model: a zoo model, a training run, or an exported file.

A device has this module too, so nothing is imported that only a larger computer has.
"""

from pathlib import Path

from speechzoo.decoding.recognizer import Recognizer


def open_model(source: str | Path | Recognizer, threads: int = 1) -> Recognizer:
    """Opens what people call a model.

    Args:
        source: Name of a zoo model, folder of a training run, path of a `.tflite` file, or a model, which is returned.
        threads: Of the interpreter of a `.tflite` file; TensorFlow takes as many as the machine has.

    Raises:
        ValueError, OSError: There is no such model, or its files can't be used; the message says why.
    """
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    if path.suffix == ".tflite":
        from speechzoo.edge.edge_model import EdgeModel

        return EdgeModel(path, threads)
    from speechzoo.registry import load

    return load(str(source))
