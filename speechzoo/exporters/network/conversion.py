"""SavedModel -> TFLite flatbuffer, in a process of its own: TensorFlow's converter can die and take it along."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.quantizers import Quantizer
from speechzoo.exporters.network.source import Source

SAVED_MODEL = "saved_model"
"""Name of the SavedModel in the scratch folder."""


def convert(folder: Path, quantizer: Quantizer, recordings: list[np.ndarray],
            signatures: tuple[str, ...] = (RECOGNIZE,), has_variables: bool = False,
            sensitivity_spec: dict | None = None) -> tuple[bytes, list[dict]]:
    """Converts `folder/saved_model` in a child process.

    Args:
        folder: Scratch folder, where the child reads and writes.
        quantizer: What makes the network (`speechzoo.exporters.network.quantizers`).
        recordings: What to calibrate with, without a batch axis: float32 (samples,) each, or what the quantizer asks
            for.
        signatures: Those of the SavedModel that the network shall have; they share its weights.
        has_variables: Whether the network keeps values of its own.
        sensitivity_spec: The model's spec, where layers that would lose answers in int8 are to stay in float32.

    Returns:
        The network, and what `choose_float` says of its layers.

    Raises:
        ExportError: The converter failed or died; the message holds the last thing it said.
    """
    for number, audio in enumerate(recordings):
        np.save(folder / f"recording_{number}.npy", audio)
    request = {"folder": str(folder), "quantizer": [quantizer.__module__, quantizer.__qualname__],
               "recordings": len(recordings), "signatures": signatures, "has_variables": has_variables,
               "sensitivity_spec": sensitivity_spec}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    child = subprocess.run([sys.executable, "-m", "speechzoo.exporters.network.conversion", json.dumps(request)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    if child.returncode:
        raise ExportError(f"{quantizer.__name__}: {_why(child.returncode, child.stderr.decode(errors='replace'))}")
    return (folder / "network.tflite").read_bytes(), json.loads((folder / "sensitivity.json").read_text())


def _why(code: int, errors: str) -> str:
    if code < 0:
        names = {item.value: item.name for item in signal.Signals}
        cause = names.get(-code, -code)
        return f"the converter was killed ({cause}); it is out of memory or has a fault in this network"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return f"the converter failed: {lines[-1][:300] if lines else f'exit code {code}'}"


def _run(folder: str, quantizer: list[str], recordings: int, signatures: list[str], has_variables: bool,
         sensitivity_spec: dict | None):
    """The child's work: `network.tflite` and `sensitivity.json` beside the SavedModel."""
    from speechzoo.exporters.network.flatbuffer import custom_operators, share_buffers

    folder, (module, name) = Path(folder), quantizer
    examples = [np.load(folder / f"recording_{number}.npy", allow_pickle=False)[None] for number in range(recordings)]
    quantize = getattr(importlib.import_module(module), name)
    network, sensitivity = quantize(Source(folder / SAVED_MODEL, signatures, has_variables, examples, sensitivity_spec))
    if len(signatures) > 1:
        network = share_buffers(network)
    if custom_operators(network):
        raise ExportError(f"operators that no device has: {', '.join(custom_operators(network))}")
    (folder / "network.tflite").write_bytes(network)
    (folder / "sensitivity.json").write_text(json.dumps(sensitivity))


if __name__ == "__main__":
    _run(**json.loads(sys.argv[1]))
