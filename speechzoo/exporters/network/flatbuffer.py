"""Reading and rewriting TFLite flatbuffers with the schema that LiteRT ships."""

import re
from collections import Counter

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

# Operators that the interpreter does not have by itself.
_CUSTOM = schema.BuiltinOperator.CUSTOM
_OPERATOR_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_BUFFER_ALIGNMENT = 16  # `force_align` of Buffer.data in schema.fbs, which Python's generated code leaves out


class _AlignedBuffer(schema.BufferT):
    """A buffer whose bytes start at a multiple of 16, as every TFLite runtime may expect."""

    def Pack(self, builder):
        offset = None
        if self.data is not None:
            values = np.asarray(self.data, np.uint8)
            builder.StartVector(1, len(values), _BUFFER_ALIGNMENT)
            builder.head -= len(values)
            builder.Bytes[builder.head:builder.head + len(values)] = values.tobytes()
            offset = builder.EndVector()
        schema.BufferStart(builder)
        if offset is not None:
            schema.BufferAddData(builder, offset)
        return schema.BufferEnd(builder)


def parse(network: bytes) -> schema.ModelT:
    """The flatbuffer as an object tree, with the weights in it that large files keep behind the flatbuffer."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(network, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 say that there are none
            buffer.data = np.frombuffer(network, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def serialize(model: schema.ModelT) -> bytes:
    """The object tree as a flatbuffer."""
    for buffer in model.buffers:
        buffer.__class__ = _AlignedBuffer
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def interpreter_that_keeps_tensors(network: bytes) -> Interpreter:
    """An interpreter without delegates: every tensor keeps the shape and value that it had in the last run."""
    return Interpreter(model_content=network, experimental_preserve_all_tensors=True,
                       experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def operator_name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """`CONV_2D`, ...; a custom operator's own name."""
    code = model.operatorCodes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return code.customCode.decode() if builtin == _CUSTOM else _OPERATOR_NAMES[builtin]


def count_operators(network: bytes) -> Counter:
    """How often each operator occurs, by name."""
    model = parse(network)
    return Counter(operator_name(model, operator) for graph in model.subgraphs for operator in graph.operators)


def custom_operators(network: bytes) -> list[str]:
    """Names of operators that are not TFLite's own, TensorFlow's (Flex) included, sorted."""
    model = parse(network)
    return sorted({code.customCode.decode() for code in model.operatorCodes
                   if max(code.builtinCode, code.deprecatedBuiltinCode) == _CUSTOM})


def signature_graphs(model: schema.ModelT) -> dict[str, int]:
    """Signature -> number of its subgraph; the other subgraphs are bodies of loops."""
    return {signature.signatureKey.decode(): signature.subgraphIndex for signature in model.signatureDefs or []}


def share_buffers(network: bytes) -> bytes:
    """The network with equal weights stored once: signatures converted together may have copies of their own."""
    model = parse(network)
    kept, number_of, moved = [], {}, {}
    for number, buffer in enumerate(model.buffers):
        content = None if buffer.data is None or not len(buffer.data) else np.asarray(buffer.data, np.uint8).tobytes()
        if content is None or content not in number_of:
            number_of[content] = len(kept)
            kept.append(buffer)
            moved[number] = len(kept) - 1
        else:
            moved[number] = number_of[content]
    for holder in [tensor for graph in model.subgraphs for tensor in graph.tensors] + list(model.metadata or []):
        holder.buffer = moved[holder.buffer]
    model.buffers = kept
    return serialize(model)


def in_layer(tensor_name: bytes, layer: str) -> bool:
    """Whether a tensor was computed inside the Keras layer at the top of the model that is called `layer`."""
    # Keras numbers the second call of a layer; a fused operator joins the names of its parts with semicolons.
    return re.match(rf"(?:.*/)?{re.escape(layer)}(_\d+)?/", tensor_name.decode().split(";")[0]) is not None
