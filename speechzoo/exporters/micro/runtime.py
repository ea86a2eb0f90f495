"""An int8 network, run as a microcontroller runs it."""

import numpy as np

ARENA_BYTES = 4 << 20


def run_network(network: bytes, batch: np.ndarray) -> tuple[list[np.ndarray], str]:
    """Runs a network of one input on every row.

    With the package `tflite-micro` it runs in TensorFlow Lite Micro itself, otherwise in LiteRT's kernels without XNNPACK,
    which round a fully connected layer differently now and then (by one step of 256).

    Args:
        network: A flatbuffer that `check_operators` accepts.
        batch: int8 (rows, ...), the network's input without its batch axis.

    Returns:
        int8 outputs (rows, ...) in the order of the network's outputs, and what ran it.
    """
    try:
        from tflite_micro import runtime
    except ImportError:
        return _run_litert(network, batch), "LiteRT"
    interpreter = runtime.Interpreter.from_bytes(network, arena_size=ARENA_BYTES)
    count = _output_count(network)
    rows = []
    for row in batch:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        rows.append([interpreter.get_output(index)[0] for index in range(count)])
    return [np.stack(column) for column in zip(*rows)], "TensorFlow Lite Micro"


def _output_count(network):
    from speechzoo.exporters.flatbuffer import parse

    return len(parse(network).subgraphs[0].outputs)


def _run_litert(network, batch):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=network,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    rows = []
    for row in batch:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(index)[0] for index in outputs])
    return [np.stack(column) for column in zip(*rows)]
