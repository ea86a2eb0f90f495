"""SavedModel -> TFLite flatbuffer, in a process of its own: TensorFlow's converter can die and take it along."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from speechzoo.exporters.errors import ExportError

SIGNATURE = "recognize"


def convert(folder: Path, quantize: str, recordings: list[np.ndarray],
            signatures: tuple[str, ...] = (SIGNATURE,), sensitivity_spec: dict | None = None,
            quantizer: str = "tensorflow") -> tuple[bytes, list]:
    """Converts `folder/saved_model` in a child process.

    Args:
        folder: Scratch folder, where the child reads and writes.
        quantize: `none`, `float16`, `dynamic`, `int8`, `int16x8`, or all operators in int8, from `features` to answers:
            `micro`, or `esphome`, whose state is in variables of the network.
        recordings: float32 (samples,) each, to calibrate `int8` and `int16x8` with; for `micro` (frames, bins) each,
            for `esphome` (steps, frames of a step, bins).
        signatures: Those of the SavedModel that the network shall have; they share its weights.
        sensitivity_spec: The model's spec, for `int8` to keep those layers in float32 that would lose answers.
        quantizer: `tensorflow`, or `ai-edge` for `dynamic`, `int8` and `int16x8`.

    Returns:
        The network, and what `choose_float` says of its layers.

    Raises:
        ExportError: The converter failed or died; the message holds the last thing it said.
    """
    for number, audio in enumerate(recordings):
        np.save(folder / f"recording_{number}.npy", audio)
    request = {"folder": str(folder), "quantize": quantize, "recordings": len(recordings),
               "signatures": signatures, "spec": sensitivity_spec, "quantizer": quantizer}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    child = subprocess.run([sys.executable, "-m", "speechzoo.exporters.network.conversion", json.dumps(request)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    if child.returncode:
        raise ExportError(f"quantize='{quantize}': {_why(child.returncode, child.stderr.decode(errors='replace'))}")
    return (folder / "network.tflite").read_bytes(), json.loads((folder / "sensitivity.json").read_text())


def _why(code: int, said: str) -> str:
    if code < 0:
        names = {item.value: item.name for item in signal.Signals}
        cause = names.get(-code, -code)
        return f"the converter was killed ({cause}); it is out of memory or has a fault in this network"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"the converter failed: {lines[-1][:300] if lines else f'exit code {code}'}"


def _run(folder: str, quantize: str, recordings: int, signatures: list[str], spec: dict | None, quantizer: str):
    """The child's work: `network.tflite` and `sensitivity.json` beside the SavedModel."""
    import tensorflow as tf

    from speechzoo.edge.owner import ADAPT
    from speechzoo.exporters.network.ai_edge import quantize_ai_edge
    from speechzoo.exporters.network.flatbuffer import custom_operators, share_buffers
    from speechzoo.exporters.network.int16 import quantize_int16
    from speechzoo.exporters.network.quantization import calibrated_nodes, drop_names, quantize_weights
    from speechzoo.exporters.network.sensitivity import choose_float
    from speechzoo.exporters.signatures.custom_words import LEARN

    folder = Path(folder)
    examples = [np.load(folder / f"recording_{number}.npy", allow_pickle=False)[None] for number in range(recordings)]

    def converter():
        result = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"), signature_keys=signatures)
        result.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        has_variables = quantize == "esphome" or LEARN in signatures or ADAPT in signatures
        result.experimental_enable_resource_variables = has_variables
        return result

    network = None if quantize in ("micro", "esphome") else converter().convert()
    calls, sensitivity = [], []
    if quantize in ("int8", "int16x8"):
        calls = list(_calls(tf.saved_model.load(str(folder / "saved_model")).signatures, signatures, examples))
    if quantizer == "ai-edge":
        if spec:
            network, sensitivity = choose_float(lambda left: quantize_ai_edge(network, quantize, calls, left), network,
                                                calibrated_nodes(network), examples, spec)
        else:
            network = quantize_ai_edge(network, quantize, calls)
        network = quantize_weights(network, "float16")
    elif quantize in ("float16", "dynamic"):
        network = quantize_weights(network, quantize)
    elif quantize == "int8":
        # The plain converter quantizes everything it can; the debugger's options are the public way to leave
        # operators out.
        calibrated = converter()
        calibrated.optimizations = [tf.lite.Optimize.DEFAULT]
        calibrated.representative_dataset = lambda: iter(calls)
        left = calibrated_nodes(network)
        options = tf.lite.experimental.QuantizationDebugOptions
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=calibrated, debug_dataset=lambda: ([audio] for audio in examples),
            debug_options=options(denylisted_nodes=left))

        def quantized(names):
            if names != left:
                debugger.options = options(denylisted_nodes=names)
            return debugger.get_nondebug_quantized_model()

        if spec:
            network, sensitivity = choose_float(quantized, network, left, examples, spec)
        else:
            network = quantized(left)
        network = quantize_weights(network, "float16")
    elif quantize == "int16x8":
        # What is inside of loops over time can't be calibrated: the weights alone.
        network = quantize_weights(quantize_int16(network, calls), "dynamic")
    elif quantize in ("micro", "esphome"):
        whole = converter()
        whole.optimizations = [tf.lite.Optimize.DEFAULT]
        calls = examples if quantize == "micro" else [step[None] for recording in examples for step in recording[0]]
        whole.representative_dataset = lambda: ((SIGNATURE, {"features": features}) for features in calls)
        whole.inference_input_type = whole.inference_output_type = tf.int8
        if quantize == "esphome":
            whole.inference_output_type = tf.uint8
            # The converter's only way to variables in int8; without it they stay in float32.
            whole._experimental_variable_quantization = True
        network = drop_names(whole.convert())
    if len(signatures) > 1:
        network = share_buffers(network)
    if custom_operators(network):
        raise ExportError(f"operators that no device has: {', '.join(custom_operators(network))}")
    (folder / "network.tflite").write_bytes(network)
    (folder / "sensitivity.json").write_text(json.dumps(sensitivity))


def _calls(functions, signatures, examples):
    """(signature, its inputs) for each recording; of a stream, every step with the state that the one before left."""
    import tensorflow as tf

    for signature in signatures:
        inputs = functions[signature].structured_input_signature[1]
        state = {name: np.zeros(spec.shape, np.float32) for name, spec in inputs.items()
                 if name not in ("audio", "samples")}
        for audio in examples:
            if "samples" not in inputs:
                yield signature, {"audio": audio}
                continue
            step, left = inputs["samples"].shape[1], state
            for start in range(0, audio.shape[1] - step + 1, step):
                call = {"samples": audio[:, start:start + step], **left}
                yield signature, call
                answers = functions[signature](**{name: tf.constant(value) for name, value in call.items()})
                left = {name: answers[name].numpy() for name in state}


if __name__ == "__main__":
    _run(**json.loads(sys.argv[1]))
