"""int16 activations with int8 weights ("16x8"), for networks that int8 activations cost too much.

TensorFlow's own converter can do this for whole networks only; here the front end, and every operator without weights,
go on computing in float32. https://ai.google.dev/edge/litert/models/post_training_integer_quant_16x8 says what the
kernels expect: symmetric scales, one per tensor for activations and one per output channel for weights, int64 biases.
"""

from collections.abc import Iterable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from speechzoo.exporters.network.flatbuffer import (interpreter_that_keeps_tensors, operator_name, parse, serialize,
                                                    signature_graphs)
from speechzoo.exporters.network.quantization import (WEIGHTED, constant, frontend_operators, operator_code,
                                                      replace_data, symmetric_int8)

# Versions of the operators that take int16 activations.
_VERSIONS = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "FULLY_CONNECTED": 7, "QUANTIZE": 2, "DEQUANTIZE": 3}
# What is louder than the recordings of the calibration still fits: one bit of sixteen is little to pay.
_HEADROOM = 2.0


def quantize_int16(network: bytes, calls: Iterable[tuple[str, dict]]) -> bytes:
    """Makes the products of a float32 network with stored weights int16 x int8, outside of front end and loops.

    Args:
        network: TFLite flatbuffer.
        calls: (signature, its inputs by name) to measure the ranges of activations with.
    """
    model = parse(network)
    frontend = frontend_operators(model)
    chosen = {number: _products(model, model.subgraphs[number], frontend[number])
              for number in signature_graphs(model).values()}
    peaks = _peaks(network, model, chosen, calls)
    for number, operators in chosen.items():
        _rewrite(model, model.subgraphs[number], operators, peaks[number])
    _drop_unused(model)
    return serialize(model)


def _products(model, graph, frontend) -> set[int]:
    """Numbers of the operators that become int16 x int8."""
    return {index for index, operator in enumerate(graph.operators)
            if index not in frontend and operator_name(model, operator) in WEIGHTED
            and constant(model, graph, operator.inputs[1]) is not None}


def _peaks(network, model, chosen, calls) -> dict[int, dict[int, float]]:
    """Subgraph -> tensor -> greatest magnitude that any call gave it, of what the products take and give."""
    interpreter = interpreter_that_keeps_tensors(network)
    graphs = signature_graphs(model)
    peaks = {number: {int(tensor): 0.0 for index in operators for tensor in
                      (model.subgraphs[number].operators[index].inputs[0],
                       model.subgraphs[number].operators[index].outputs[0])} for number, operators in chosen.items()}
    for signature, inputs in calls:
        interpreter.get_signature_runner(signature)(**inputs)
        number = graphs[signature]
        for tensor, peak in peaks[number].items():
            values = interpreter.get_tensor(tensor, number)
            peaks[number][tensor] = max(peak, float(np.abs(values).max(initial=0.0)))
    return peaks


def _rewrite(model, graph, chosen, peaks):
    """Gives the chosen operators int16 tensors, with conversions where others read or write them."""
    read_by_others = {int(tensor) for tensor in graph.outputs}
    for index, operator in enumerate(graph.operators):
        read_by_others.update(int(tensor) for position, tensor in enumerate(operator.inputs)
                              if index not in chosen or position)
    scales, weights, int16_tensors, operators = {}, {}, {}, []

    def add_int16(tensor):
        """The int16 tensor that stands for a float32 one."""
        scale = _HEADROOM * max(peaks[tensor], 1e-6) / np.iinfo(np.int16).max
        int16_tensors[tensor] = _add_tensor(graph, graph.tensors[tensor], schema.TensorType.INT16, [scale])
        scales[tensor] = scale
        return int16_tensors[tensor]

    for index, operator in enumerate(graph.operators):
        if index not in chosen:
            operators.append(operator)
            continue
        name, (source, kernel), result = operator_name(model, operator), operator.inputs[:2], int(operator.outputs[0])
        source, kernel = int(source), int(kernel)
        if source not in int16_tensors:
            operators.append(_conversion(model, "QUANTIZE", source, add_int16(source)))
        if kernel not in weights:
            values, scale = symmetric_int8(constant(model, graph, kernel), WEIGHTED[name])
            stored = graph.tensors[kernel]
            number = _add_tensor(graph, stored, schema.TensorType.INT8, scale, WEIGHTED[name])
            graph.tensors[number].buffer = stored.buffer
            replace_data(model, graph.tensors[number], values)
            weights[kernel] = number, scale
        number, scale = weights[kernel]
        inputs = [int16_tensors[source], number]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(_bias(model, graph, int(operator.inputs[2]), scales[source] * scale))
        operator.inputs, operator.outputs = inputs, [add_int16(result)]
        operator.opcodeIndex = operator_code(model, name, _VERSIONS[name])
        operators.append(operator)
        if result in read_by_others:
            operators.append(_conversion(model, "DEQUANTIZE", int16_tensors[result], result))
    graph.operators = operators


def _bias(model, graph, tensor, scale) -> int:
    values = np.rint(constant(model, graph, tensor) / scale).astype(np.int64)
    number = _add_tensor(graph, graph.tensors[tensor], schema.TensorType.INT64, scale)
    graph.tensors[number].buffer = graph.tensors[tensor].buffer
    replace_data(model, graph.tensors[number], values)
    return number


def _drop_unused(model):
    """Empties what no operator reads any more: the float32 weights."""
    for graph in model.subgraphs:
        used = {int(tensor) for operator in graph.operators for tensor in (*operator.inputs, *operator.outputs)}
        for number, tensor in enumerate(graph.tensors):
            if number not in used and number not in graph.inputs:
                tensor.buffer = 0
    kept = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    kept.update(entry.buffer for entry in model.metadata or [])
    for number, buffer in enumerate(model.buffers):
        if number not in kept:
            buffer.data = None


def _add_tensor(graph, like, kind, scale, axis=0) -> int:
    """Number of a new tensor of the shape of another one."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.shapeSignature = like.name, like.shape, like.shapeSignature
    tensor.type, tensor.buffer, tensor.quantization = kind, 0, schema.QuantizationParametersT()
    tensor.quantization.scale = np.asarray(scale, np.float32)
    tensor.quantization.zeroPoint = np.zeros(len(tensor.quantization.scale), np.int64)
    tensor.quantization.quantizedDimension = axis
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _conversion(model, name, source, result):
    operator = schema.OperatorT()
    operator.opcodeIndex = operator_code(model, name, _VERSIONS[name])
    operator.inputs, operator.outputs = [source], [result]
    kind = name.capitalize() + "Options"
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator.builtinOptions = getattr(schema, kind + "T")()
    return operator
