"""Multiply-accumulates of an exported file."""

import math
from pathlib import Path

import numpy as np

from speechzoo.edge.artifact import read_artifact
from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.network.flatbuffer import (interpreter_that_keeps_tensors, operator_name, parse,
                                                    signature_graphs)


def count_tflite_macs(path: str | Path, seconds: float = 1.0) -> int:
    """The count of `speechzoo.multitask.macs.count_macs` for an exported file, taken from its operators.

    Args:
        path: A `.tflite` file that `speechzoo.export` wrote.
        seconds: Length of the utterance.
    """
    network = Path(path).read_bytes()
    model, interpreter = parse(network), interpreter_that_keeps_tensors(network)
    samples = round(seconds * read_artifact(path).spec["sample_rate"])
    interpreter.get_signature_runner(RECOGNIZE)(audio=np.zeros((1, samples), np.float32))
    graph = signature_graphs(model)[RECOGNIZE]
    return count_graph_macs(model, model.subgraphs[graph], {
        detail["index"]: tuple(detail["shape"]) for detail in interpreter.get_tensor_details(graph)})


def count_graph_macs(model, graph, shapes: dict | None = None) -> int:
    """Multiply-accumulates of one run of a subgraph.

    Args:
        model, graph: A parsed flatbuffer, and one of its subgraphs.
        shapes: Number of a tensor -> its shape in the run. Default: the shapes that the file says.
    """
    if shapes is None:
        shapes = {index: tuple(int(size) for size in tensor.shape) for index, tensor in enumerate(graph.tensors)}
    total = 0
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name == "WHILE":  # a recurrent layer: one frame a step, from the lists (frames, batch, channels) it reads
            steps = max(shapes[index][0] for index in operator.inputs if len(shapes[index]) == 3)
            total += steps * _step(model, model.subgraphs[operator.builtinOptions.bodySubgraphIndex])
        if name not in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL"):
            continue
        output = math.prod(shapes[operator.outputs[0]])
        first, second = shapes[operator.inputs[0]], shapes[operator.inputs[1]]
        if name == "BATCH_MATMUL":
            total += output * first[-2 if operator.builtinOptions.adjX else -1]
        elif name == "DEPTHWISE_CONV_2D":
            total += output * math.prod(second[1:3])
        else:
            total += output * math.prod(second[1:])
    return int(total)


def _step(model, body) -> int:
    """One frame through the body of a loop: each weight is used once."""
    return sum(math.prod(body.tensors[operator.inputs[1]].shape) for operator in body.operators
               if operator_name(model, operator) == "FULLY_CONNECTED")
