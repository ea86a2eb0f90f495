"""Smaller networks: float16 weights, int8 weights, int8 weights and activations; int16 activations are in int16.py.

The front end always computes in float32: its power spectra span ten orders of magnitude, and eight bits of them are
noise (a converter that is left alone quantizes the Fourier matrix, and moves normalised log-mel features by four
standard deviations). The matrices of the front end are stored as float16 when anything is quantized.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from speechzoo.edge.signatures import STREAM_STEP
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.flatbuffer import (count_operators, in_layer, operator_name, parse, serialize,
                                                    signature_graphs)

FRONTEND, BACKBONE = "frontend", "backbone"
# The product that reads energies without a logarithm, which eight bits don't keep, either.
ENERGY_PROJECTION = "energy_projection"
# Operators that multiply with stored weights -> axis of the output channels in the weights.
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# Versions of the operators that take int8 weights (one scale per channel) with float32 activations.
_HYBRID_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
# TFLite's own converter leaves smaller weights alone too: nothing to gain.
_MINIMUM_ELEMENTS = 1024
# Larger weights, those of vocabularies, are read from the file. XNNPACK would hold a second copy of them.
_MAXIMUM_COPIED_ELEMENTS = 1 << 23


def quantize_weights(network: bytes, mode: str) -> bytes:
    """Stores the weights of a float32 network in fewer bits; it goes on computing in float32.

    Args:
        network: TFLite flatbuffer.
        mode: `float16` (all weights), or `dynamic` (int8 with one scale per output channel, symmetric; the kernels
            quantize activations on the fly) with the front end's in float16. Tables that rows are taken from, such as
            embeddings, are int8 with one scale per row.

    Returns:
        The smaller flatbuffer.
    """
    model = parse(network)
    if mode == "dynamic":
        for graph, frontend in zip(model.subgraphs, frontend_operators(model)):
            _store_tables_int8(model, graph, frontend)
    for number, graph in enumerate(model.subgraphs):
        if mode == "dynamic":
            _store_int8(model, graph, frontend_operators(model)[number])
        _store_float16(model, graph, None if mode == "float16" else frontend_operators(model)[number])
        _drop_what_no_device_reads(graph)
    return serialize(model)


def drop_names(network: bytes) -> bytes:
    """The network without what no device reads: the names of inner tensors and the ranges of their values."""
    model = parse(network)
    for graph in model.subgraphs:
        _drop_what_no_device_reads(graph)
    return serialize(model)


def float_operators(network: bytes) -> list[str]:
    """Names of the operators that stay in float32 when weights and activations become int8.

    The front end always does. Where the network has attention (products of activations with activations), so does
    everything but the operators with weights, and the same in a step of a stream, whose state would lose what it has
    gathered: layer norms, softmax and gates hold values of many magnitudes, where 8 bits cost accuracy and, in TFLite's
    kernels, time, and the operators with weights do nearly all multiplications. Where the network has no attention, the
    heads do: their pooling squares and sums over all frames, of which 8 bits keep nothing when recordings are louder or
    longer than those that it was calibrated with.

    Args:
        network: The float32 network.

    Raises:
        ExportError: It has loops over time, on which TensorFlow's converter dies when it calibrates.
    """
    if "WHILE" in count_operators(network):
        raise ExportError("recurrent layers can't become int8 with their activations; use quantize='dynamic'")
    model = parse(network)
    names = []
    step = signature_graphs(model).get(STREAM_STEP)
    for number, (graph, frontend) in enumerate(zip(model.subgraphs, frontend_operators(model))):
        attention = number == step or any(operator_name(model, operator) == "BATCH_MATMUL"
                                          for operator in graph.operators)
        for index, operator in enumerate(graph.operators):
            if attention:
                keep = index in frontend or operator_name(model, operator) not in WEIGHTED
            else:
                keep = not any(in_layer(graph.tensors[output].name, BACKBONE) for output in operator.outputs)
            if keep:
                names += [graph.tensors[output].name.decode() for output in operator.outputs]
    return names


def frontend_operators(model) -> list[set[int]]:
    """Subgraph -> its operators of the front end: none in the bodies of loops, and where no audio comes in.

    The product of a backbone that reads the front end's energies as they are is one of them.
    """
    found = [{index for index, operator in enumerate(graph.operators)
              if any(in_layer(graph.tensors[output].name, layer) for output in operator.outputs
                     for layer in (FRONTEND, ENERGY_PROJECTION))}
             for graph in model.subgraphs]
    if not any(found):
        raise ExportError(f"no operator of the network belongs to a layer '{FRONTEND}', which must not be quantized")
    return found


def constant(model, graph, tensor_index) -> np.ndarray | None:
    """A stored float32 tensor, or None for anything else."""
    if tensor_index < 0:
        return None
    tensor = graph.tensors[tensor_index]
    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None or not len(data):
        return None
    return np.asarray(data, np.uint8).view(np.float32).reshape(tensor.shape)


def symmetric_int8(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8 values and the float32 scales, one per output channel (`axis`), that they are multiples of."""
    others = tuple(other for other in range(weights.ndim) if other != axis)
    scale = np.maximum(np.abs(weights).max(axis=others, keepdims=True) / 127, np.finfo(np.float32).tiny)
    return np.rint(weights / scale).astype(np.int8), scale.ravel().astype(np.float32)


def _store_tables_int8(model, graph, frontend):
    """Tables that GATHER takes rows from: the rows that are taken are widened, and multiplied by their scales.

    A decoder's embeddings are such a table and the weights of its last product at once: then both are the same bytes.
    """
    for index in reversed(range(len(graph.operators))):
        operator = graph.operators[index]
        table = constant(model, graph, operator.inputs[0]) if operator_name(model, operator) == "GATHER" else None
        if (table is None or table.ndim != 2 or table.size < _MINIMUM_ELEMENTS or index in frontend
                or operator.builtinOptions.axis or operator.builtinOptions.batchDims):
            continue
        values, scale = symmetric_int8(table, 0)
        rows, output = operator.inputs[1], graph.tensors[operator.outputs[0]]
        name = output.name
        stored = _add_tensor(graph, name + b"/table", schema.TensorType.INT8, values.shape)
        scales = _add_tensor(graph, name + b"/scales", schema.TensorType.FLOAT32, (len(scale), 1))
        _add_data(model, graph.tensors[stored], values)
        _add_data(model, graph.tensors[scales], scale)
        taken = _add_tensor(graph, name + b"/int8", schema.TensorType.INT8, output.shape, output.shapeSignature)
        wide = _add_tensor(graph, name + b"/float32", schema.TensorType.FLOAT32, output.shape, output.shapeSignature)
        signature = output.shapeSignature
        of_rows = _add_tensor(graph, name + b"/scale", schema.TensorType.FLOAT32, [*output.shape[:-1], 1],
                              None if signature is None else [*signature[:-1], 1])
        graph.operators[index:index + 1] = [
            _operator(model, "GATHER", 2, [stored, rows], taken, schema.GatherOptionsT()),
            _operator(model, "CAST", 2, [taken], wide, _cast(schema.TensorType.INT8, schema.TensorType.FLOAT32)),
            _operator(model, "GATHER", 1, [scales, rows], of_rows, schema.GatherOptionsT()),
            _operator(model, "MUL", 1, [wide, of_rows], operator.outputs[0], schema.MulOptionsT())]


def _add_tensor(graph, name, kind, shape, signature=None) -> int:
    """The number of a new tensor without data."""
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name, kind, 0
    tensor.shape = np.array(shape, np.int32)
    tensor.shapeSignature = None if signature is None else np.array(signature, np.int32)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_data(model, tensor, values):
    model.buffers.append(schema.BufferT())
    tensor.buffer = len(model.buffers) - 1
    replace_data(model, tensor, values)


def _operator(model, name, version, inputs, output, options):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = operator_code(model, name, version), inputs, [output]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{type(options).__name__.removesuffix('T')}")
    operator.builtinOptions = options
    return operator


def _cast(source, target):
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = source, target
    return options


def _store_int8(model, graph, frontend):
    consumers, in_place = {}, []
    for index, operator in enumerate(graph.operators):
        for position, tensor in enumerate(operator.inputs):
            consumers.setdefault(tensor, []).append((index, position))
    for tensor_index, uses in consumers.items():
        weights = constant(model, graph, tensor_index)
        names = {operator_name(model, graph.operators[index]) for index, _ in uses}
        if (weights is None or weights.size < _MINIMUM_ELEMENTS or len(names) > 1 or names.isdisjoint(WEIGHTED)
                or any(position != 1 or index in frontend for index, position in uses)):
            continue
        name = names.pop()
        axis = WEIGHTED[name]
        values, scale = symmetric_int8(weights, axis)
        tensor = graph.tensors[tensor_index]
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = scale
        tensor.quantization.zeroPoint = np.zeros(scale.size, np.int64)
        tensor.quantization.quantizedDimension = axis
        replace_data(model, tensor, values)
        for index, _ in uses:
            operator = graph.operators[index]
            operator.opcodeIndex = operator_code(model, name, _HYBRID_VERSIONS[name])
            if name == "FULLY_CONNECTED":
                operator.builtinOptions.asymmetricQuantizeInputs = True
        if name == "FULLY_CONNECTED" and weights.size > _MAXIMUM_COPIED_ELEMENTS:
            for index, _ in uses:
                in_place.append(graph.operators[index])
    for operator in in_place:
        _read_in_place(model, graph, operator)


def _read_in_place(model, graph, operator):
    """Keeps a product without a bias from XNNPACK, which packs weights anew, for TFLite's own kernel, which doesn't.

    XNNPACK takes no product whose bias is computed; here it is zeros that a FILL writes.
    """
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        return
    count, name = graph.tensors[operator.inputs[1]].shape[0], graph.tensors[operator.outputs[0]].name
    size = _add_tensor(graph, name + b"/size", schema.TensorType.INT32, (1,))
    zero = _add_tensor(graph, name + b"/zero", schema.TensorType.FLOAT32, ())
    _add_data(model, graph.tensors[size], np.array([count], np.int32))
    _add_data(model, graph.tensors[zero], np.zeros(1, np.float32))
    bias = _add_tensor(graph, name + b"/bias", schema.TensorType.FLOAT32, (count,))
    operator.inputs = np.array([*operator.inputs[:2], bias], np.int32)
    graph.operators.insert(0, _operator(model, "FILL", 1, [size, zero], bias, schema.FillOptionsT()))


def _store_float16(model, graph, operators):
    """Weights of `operators` (all for None) as float16, widened by a DEQUANTIZE that the interpreter runs once."""
    widened = {}
    for index, operator in enumerate(graph.operators):
        if operators is not None and index not in operators:
            continue
        for position, tensor_index in enumerate(operator.inputs):
            weights = constant(model, graph, tensor_index)
            if weights is None or weights.size < _MINIMUM_ELEMENTS or np.abs(weights).max() > np.finfo(np.float16).max:
                continue
            if tensor_index not in widened:
                stored = graph.tensors[tensor_index]
                result = schema.TensorT()
                result.shape, result.type, result.buffer = stored.shape, schema.TensorType.FLOAT32, 0
                result.name = stored.name + b"/float32"
                graph.tensors.append(result)
                widened[tensor_index] = len(graph.tensors) - 1
            where = np.arange(len(operator.inputs)) == position
            operator.inputs = np.where(where, widened[tensor_index], operator.inputs)
    code = operator_code(model, "DEQUANTIZE", 3)
    for stored_index, result_index in widened.items():
        stored = graph.tensors[stored_index]
        weights = constant(model, graph, stored_index)
        stored.type = schema.TensorType.FLOAT16
        replace_data(model, stored, weights.astype(np.float16))
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = code, [stored_index], [result_index]
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        graph.operators.insert(0, operator)


def _drop_what_no_device_reads(graph):
    """Names below the top layer, and the ranges of which scales were made: a tenth of a microcontroller's network."""
    for tensor in graph.tensors:
        layer, slash, _ = tensor.name.partition(b"/")
        tensor.name = layer + slash if slash else b""
        if tensor.quantization is not None:
            if tensor.quantization.scale is None:
                tensor.quantization = None
            else:
                tensor.quantization.min = tensor.quantization.max = None


def replace_data(model, tensor, values):
    """Gives `tensor` new bytes, in a buffer of its own where it shares one."""
    shared = sum(other.buffer == tensor.buffer for each in model.subgraphs for other in each.tensors) > 1
    if shared:
        model.buffers.append(schema.BufferT())
        tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = np.ascontiguousarray(values).view(np.uint8).ravel()


def operator_code(model, name: str, version: int) -> int:
    """Number of the code of an operator in such a version, which is added where it isn't there."""
    builtin = getattr(schema.BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin and code.version == version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, version
    code.deprecatedBuiltinCode = min(builtin, 127)  # the field of old schemas, 127 meaning "see builtinCode"
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
