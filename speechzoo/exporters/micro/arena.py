"""How much memory TensorFlow Lite Micro's interpreter needs for a network."""

import math

from speechzoo.exporters.network.flatbuffer import operator_name, parse
from speechzoo.exporters.network.quantization import WEIGHTED

_ALIGNMENT = 16
# What the interpreter keeps beside the tensors on a machine of 64 bits, fitted to what the RecordingMicroAllocator of
# tflite-micro (October 2026) says of two networks: a tensor's and an operator's structures, and multiplier and shift of
# every output channel. A chip of 32 bits needs about half.
_BYTES_PER_TENSOR, _BYTES_PER_OPERATOR, _BYTES_PER_CHANNEL, _BYTES_FIXED = 36, 120, 8, 512


def estimate_arena(network: bytes) -> int:
    """Bytes of the tensor arena: an estimate, for an int8 network of one subgraph with static shapes.

    The tensors are placed as TensorFlow Lite Micro's greedy planner places them: the largest first, each at the lowest
    address that is free for as long as it lives. What the interpreter keeps beside them is estimated.
    """
    model = parse(network)
    graph = model.subgraphs[0]
    first, last = {index: 0 for index in graph.inputs}, {}
    scratch, channels = [], 0
    for step, operator in enumerate(graph.operators):
        name = operator_name(model, operator)
        for index in operator.inputs:
            last[index] = step
        first.update({index: step for index in operator.outputs})
        if name in WEIGHTED:
            channels += graph.tensors[operator.outputs[0]].shape[-1]
        if name in ("MEAN", "SUM"):  # they add up in 32 bits
            scratch.append((4 * _elements(graph, operator.outputs[0]), step, step))
    last.update({index: len(graph.operators) for index in graph.outputs})
    living = [(_elements(graph, index), first[index], last.get(index, first[index])) for index in sorted(first)]
    return (_planned(living + scratch) + _BYTES_PER_TENSOR * len(graph.tensors)
            + _BYTES_PER_OPERATOR * len(graph.operators) + _BYTES_PER_CHANNEL * int(channels) + _BYTES_FIXED)


def with_headroom(estimate: int) -> int:
    """Bytes to set aside, in whole kilobytes: a fifth more, for what the interpreter needs while it plans."""
    return -(-estimate * 6 // 5 // 1024) * 1024


def _elements(graph, index):
    return math.prod(int(size) for size in graph.tensors[index].shape)


def _planned(buffers):
    """The highest address that (bytes, first step, last step) need; of two of a size the later one is placed first."""
    placed, highest = [], 0
    for size, first, last in sorted(reversed(buffers), key=lambda buffer: -buffer[0]):
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        address = 0
        for start, end, other_first, other_last in sorted(placed):
            if other_last < first or other_first > last:
                continue
            if address + size <= start:
                break
            address = max(address, end)
        placed.append((address, address + size, first, last))
        highest = max(highest, address + size)
    return highest
