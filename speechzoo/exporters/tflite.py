"""One `.tflite` file for a device: builtin operators only, labels and settings inside, measured before it is kept."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import nearest
from speechzoo.edge.artifact import Artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.conversion import SIGNATURE, convert
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.flatbuffer import count_operators
from speechzoo.exporters.parity import HeadParity, check_parity, measure_parity
from speechzoo.exporters.quantization import QUANTIZATIONS
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads


@dataclass
class TFLiteExport:
    """What was written.

    Attributes:
        path: The `.tflite` file.
        parity: How far each head is from the Keras model.
        operators: Operator -> how often the network has it.
    """

    path: Path
    parity: list[HeadParity]
    operators: Counter


def export_tflite(model, directory: str | Path, quantize: str = "none", representative=None,
                  heads: list[str] | None = None, card: str | None = None) -> TFLiteExport:
    """Writes `directory/<name>.tflite`, with `_<quantize>` before the dot when quantized.

    The file has one signature, `recognize`: `audio` float32 (1, samples) of any length -> one output a head, by name.
    Every head is measured against the Keras model first, and nothing is written when one is beyond its tolerance
    (`speechzoo.exporters.parity`).

    Args:
        model: A `MultiTaskModel` on the TensorFlow backend.
        directory: Folder to write to; made when it isn't there.
        quantize: `none`, `float16`, `dynamic` (int8 weights) or `int8` (int8 weights and activations).
        representative: Recordings to measure and calibrate with, as `read_recordings` takes them.
        heads: Heads to export; all when None.
        card: Text of the model's card.

    Raises:
        ExportError: The converter failed, or a head is beyond its tolerance.
        ValueError: No such quantization or head.
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"unknown quantization '{quantize}'; {nearest(quantize, QUANTIZATIONS)}")
    if keras.backend.backend() != "tensorflow":
        raise ExportError(f"TFLite files are exported by the TensorFlow backend, this is '{keras.backend.backend()}'; "
                          "save the weights and load them with KERAS_BACKEND=tensorflow")
    model = keep_heads(model, heads)
    spec = model.spec()
    minimum = model.minimum_samples
    recordings = read_recordings(representative, spec["sample_rate"])
    recordings = [np.pad(audio, (0, max(0, minimum - len(audio)))) for audio in recordings]
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{spec['name']}{'' if quantize == 'none' else f'_{quantize}'}.tflite"
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        _write_saved_model(model, scratch / "saved_model")
        network = convert(scratch, quantize, recordings)
        artifact = Artifact(spec, minimum, quantize, card=card or "")
        trial = scratch / "trial.tflite"
        write_artifact(trial, network, artifact)
        # What is measured is the file as a device will read it.
        device = EdgeModel(trial)
        try:
            outputs = [device.outputs(audio) for audio in recordings]
        except RuntimeError as error:  # LiteRT refuses scales of layers that always give nothing
            raise ExportError(f"{path.name}: LiteRT can't run the network: {' '.join(str(error).split())}; "
                              "is the model trained?") from None
        parity = measure_parity([model.outputs_of(audio) for audio in recordings], outputs, spec, quantize)
        check_parity(parity, path.name)
    artifact.parity = [row.to_dict() for row in parity]
    write_artifact(path, network, artifact)
    return TFLiteExport(path, parity, count_operators(network))


def _write_saved_model(model, path: Path):
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    # One utterance at a time has no padding, so the graph that devices run has no masks. The static batch of 1 lets the
    # converter fold shapes.
    archive.add_endpoint(SIGNATURE, model.forward_unpadded, [tf.TensorSpec((1, None), tf.float32, "audio")])
    try:
        archive.write_out(str(path), verbose=False)
    except (ValueError, TypeError) as error:
        raise ExportError(f"the model can't be traced: {' '.join(str(error).split())[:300]}") from error
