"""The operators that TensorFlow Lite Micro has, by name and type.

Source: https://github.com/tensorflow/tflite-micro, `micro_mutable_op_resolver.h` for the names and the reference
kernels in `tensorflow/lite/micro/kernels` for the types (their `Prepare` and `Eval`). Operators that no network of the
zoo becomes are left out, so they are refused.
"""

from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.flatbuffer import operator_name, parse, schema

_ALL = ("INT8", "INT16", "FLOAT32")
_INT8 = ("INT8", "FLOAT32")
_FLOAT = ("FLOAT32",)
OPERATORS = {
    "ABS": _ALL, "ADD": _ALL, "AVERAGE_POOL_2D": _ALL, "CEIL": _FLOAT, "CONCATENATION": _ALL, "CONV_2D": _ALL,
    "COS": _FLOAT, "DEPTHWISE_CONV_2D": _ALL, "DEQUANTIZE": _ALL, "ELU": _INT8, "EXPAND_DIMS": _INT8, "FLOOR": _FLOAT,
    "FULLY_CONNECTED": _ALL, "GATHER": _INT8, "HARD_SWISH": _INT8, "L2_NORMALIZATION": _INT8, "LEAKY_RELU": _ALL,
    "LOG": _FLOAT, "LOGISTIC": _ALL, "MAX_POOL_2D": _ALL, "MAXIMUM": _ALL, "MEAN": _ALL, "MINIMUM": _ALL, "MUL": _ALL,
    "NEG": _FLOAT, "PACK": _INT8, "PAD": _ALL, "PRELU": _INT8, "QUANTIZE": _ALL, "RELU": _ALL, "RELU6": _INT8,
    "RESHAPE": _ALL, "ROUND": _FLOAT, "RSQRT": _INT8, "SIN": _FLOAT, "SOFTMAX": _ALL, "SPLIT": _ALL, "SQRT": _FLOAT,
    "SQUARE": _FLOAT, "SQUARED_DIFFERENCE": _ALL, "SQUEEZE": _INT8, "STRIDED_SLICE": _ALL, "SUB": _ALL, "SUM": _ALL,
    "TANH": _ALL, "TRANSPOSE": _ALL, "UNPACK": _INT8,
}
"""Operator -> types of the values that its kernel computes with; shapes and indices are INT32 everywhere."""

_TYPE_NAMES = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}


def check_operators(network: bytes) -> list[str]:
    """The operators of a network, sorted, all of which TensorFlow Lite Micro runs in int8.

    Raises:
        ExportError: One that it doesn't have, or not in int8, or shapes that are not static; the message names it.
    """
    model = parse(network)
    graph, used = model.subgraphs[0], set()
    if len(model.subgraphs) > 1:
        raise ExportError("the network has loops or branches; a microcontroller's has none")
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name not in OPERATORS:
            raise ExportError(f"operator {name}: TensorFlow Lite Micro doesn't have it, or speechzoo doesn't know it "
                              "there; another backbone may do without")
        if name == "DEQUANTIZE":
            continue  # what computes in floats behind it is the operator to name
        for tensor in (graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]):
            kind = _TYPE_NAMES[tensor.type]
            if kind != "INT8" or kind not in OPERATORS[name]:
                raise ExportError(f"operator {name} computes in {kind}; all must compute in INT8, and TensorFlow Lite "
                                  f"Micro has this one in {', '.join(OPERATORS[name])}")
            if tensor.shapeSignature is not None and -1 in tensor.shapeSignature:
                raise ExportError(f"operator {name}: a shape that is known only at run time, which TensorFlow Lite "
                                  "Micro can't have")
        used.add(name)
    return sorted(used)


def resolver_method(operator: str) -> str:
    """The method of `MicroMutableOpResolver` that adds an operator: `CONV_2D` -> `AddConv2D`."""
    return "Add" + "".join(part.capitalize() for part in operator.split("_")).replace("2d", "2D")
