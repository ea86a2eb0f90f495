"""What runs a microcontroller's network on this computer."""

from collections.abc import Callable

import numpy as np

from speechzoo.exporters.network.flatbuffer import parse

_ARENA_BYTES = 4 << 20


def choose_runtime() -> tuple[str, Callable[[bytes], Callable[[np.ndarray], list[np.ndarray]]]]:
    """TensorFlow Lite Micro where the package `tflite-micro` is installed, otherwise LiteRT's kernels without XNNPACK.

    Returns:
        Its name, `TensorFlow Lite Micro` or `LiteRT`; and a function that starts a network, which gives a function from
        its one input to its outputs.
    """
    try:
        import tflite_micro  # noqa: F401
    except ImportError:
        return "LiteRT", _start_litert
    return "TensorFlow Lite Micro", _start_tensorflow_lite_micro


def _start_tensorflow_lite_micro(network):
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(network, arena_size=_ARENA_BYTES)
    output_count = len(parse(network).subgraphs[0].outputs)

    def run(features):
        interpreter.set_input(features, 0)
        interpreter.invoke()
        return [interpreter.get_output(index) for index in range(output_count)]

    return run


def _start_litert(network):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=network,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(features):
        interpreter.set_tensor(entry, features)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return run
