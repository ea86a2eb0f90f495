"""Where the time of an exported file goes, operator by operator."""

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from speechzoo.edge.artifact import read_artifact
from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.network.flatbuffer import (interpreter_that_keeps_tensors, operator_name, parse, serialize,
                                                    signature_graphs)

# A network of this many more copies of an operator is timed against one of a single copy: the call itself drops out.
_COPIES = 8


@dataclass
class OperatorTime:
    """What the operators of one kind take of an answer.

    Attributes:
        name: `CONV_2D` and the like.
        count: How many of them an answer runs.
        milliseconds: Of all of them together, on one thread.
    """

    name: str
    count: int
    milliseconds: float


def time_operators(path: str | Path, seconds: float = 3.0, repeats: int = 20) -> list[OperatorTime]:
    """Times every operator of the signature `recognize` by itself, with the tensors that it has in an answer.

    LiteRT's interpreter does not say what its operators take, so each becomes a network of its own. Loops stay out, and
    so does what passing memory on between operators takes and what fusing them saves: the sum is near the time of an
    answer, not equal to it.

    Args:
        path: A `.tflite` file that `speechzoo.export` wrote.
        seconds: Length of the audio.
        repeats: Runs of each operator; the quickest counts.

    Returns:
        One for each kind of operator, the most expensive first.

    Raises:
        ValueError: The file can't be opened, or speechzoo did not write it.
    """
    times = defaultdict(list)
    for name, make, _ in operators_of(path, seconds):
        times[name].append(_seconds(make(1), make(1 + _COPIES), repeats))
    rows = [OperatorTime(name, len(each), 1e3 * sum(each)) for name, each in times.items()]
    return sorted(rows, key=lambda row: -row.milliseconds)


def operators_of(path: str | Path, seconds: float) -> Iterator[tuple[str, Callable[[int], Interpreter], list]]:
    """The operators of an answer: name, what makes a network of so many copies of it, values of its outputs."""
    samples = round(seconds * read_artifact(path).spec["sample_rate"])
    network = Path(path).read_bytes()
    interpreter = interpreter_that_keeps_tensors(network)
    audio = (0.1 * np.random.default_rng(1).standard_normal((1, samples))).astype(np.float32)
    interpreter.get_signature_runner(RECOGNIZE)(audio=audio)
    model = parse(network)
    number = signature_graphs(model)[RECOGNIZE]
    graph = model.subgraphs[number]
    constants = {index for index, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    for operator in graph.operators:
        inputs, outputs = ([int(index) for index in indices if index >= 0]
                           for indices in (operator.inputs, operator.outputs))
        name = operator_name(model, operator)
        if constants.issuperset(inputs):  # weights in float16 and the like: computed once, when the file is opened
            constants.update(outputs)
        elif name != "WHILE":
            values = {index: interpreter.get_tensor(index, number) for index in [*inputs, *outputs]}
            yield (name, partial(_network_of_copies, model, graph, operator, values, constants),
                   [values[index] for index in outputs])


def _seconds(one: Interpreter, many: Interpreter, repeats: int) -> float:
    """Time of one operator: the least of all runs, because other work only ever makes one longer."""
    best = {one: np.inf, many: np.inf}
    for _ in range(repeats):
        for interpreter in best:
            start = time.perf_counter()
            interpreter.invoke()
            best[interpreter] = min(best[interpreter], time.perf_counter() - start)
    return max(0.0, best[many] - best[one]) / _COPIES


def _network_of_copies(model, graph, operator, values, constants, copies) -> Interpreter:
    """A network of nothing but copies of an operator, all with the same inputs, ready to run."""
    alone, part = schema.ModelT(), schema.SubGraphT()
    alone.version, alone.subgraphs, alone.operatorCodes = 3, [part], [model.operatorCodes[operator.opcodeIndex]]
    alone.buffers, part.tensors, part.inputs, part.outputs, part.operators = [schema.BufferT()], [], [], [], []

    def add(index) -> int:
        tensor = copy.copy(graph.tensors[index])
        tensor.shape, tensor.shapeSignature, tensor.buffer = np.array(values[index].shape, np.int32), None, 0
        part.tensors.append(tensor)
        return len(part.tensors) - 1

    inputs, given = [], []
    for index in map(int, operator.inputs):
        inputs.append(add(index) if index >= 0 else -1)
        if index in constants:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values[index].tobytes(), np.uint8)
            part.tensors[-1].buffer = len(alone.buffers)
            alone.buffers.append(buffer)
        elif index >= 0:
            part.inputs.append(inputs[-1])
            given.append(values[index])
    for _ in range(copies):
        one = copy.copy(operator)
        one.opcodeIndex, one.inputs, one.outputs = 0, inputs, [add(int(index)) for index in operator.outputs]
        part.operators.append(one)
        part.outputs += one.outputs
    interpreter = Interpreter(model_content=serialize(alone), num_threads=1)
    interpreter.allocate_tensors()
    for value, detail in zip(given, interpreter.get_input_details()):
        interpreter.set_tensor(detail["index"], value)
    return interpreter
