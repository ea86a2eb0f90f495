"""Writing a wake word for ESPHome: the network behind its front end in int8, measured against Keras first."""

import json
import math
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from speechzoo.config import nearest
from speechzoo.edge.artifact import NOTICES
from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.esphome.esphome_model import MAXIMUM_VARIABLES, EsphomeModel
from speechzoo.exporters.micro.arena import estimate_arena, with_headroom
from speechzoo.exporters.network.conversion import SAVED_MODEL, convert
from speechzoo.exporters.network.flatbuffer import operator_name, parse, schema
from speechzoo.exporters.network.macs import count_graph_macs
from speechzoo.exporters.network.quantization import drop_names
from speechzoo.exporters.network.source import Source
from speechzoo.exporters.network.tracing import Endpoint, require_tensorflow, write_saved_model
from speechzoo.exporters.parity import TOLERANCES, HeadParity, check_parity
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads
from speechzoo.files import write_atomically
from speechzoo.frontends import MicroFeatures
from speechzoo.heads import SpotterHead
from speechzoo.layers.stream_state import StreamState, part_of
from speechzoo.multitask.stream_step import step_samples

# What `register_streaming_ops_` of ESPHome's `streaming_model.cpp` adds to its interpreter, by TFLite's names.
OPERATORS = frozenset({
    "CALL_ONCE", "VAR_HANDLE", "RESHAPE", "READ_VARIABLE", "STRIDED_SLICE", "CONCATENATION", "ASSIGN_VARIABLE",
    "CONV_2D", "MUL", "ADD", "MEAN", "FULLY_CONNECTED", "LOGISTIC", "QUANTIZE", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D",
    "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V"})
# ESPHome spreads features of 0 to 26 over the 256 values of int8.
FEATURE_SCALE, FEATURE_ZERO_POINT = 26 / 256, -128
_GREATEST_FEATURE = FEATURE_SCALE * 255
# What ESPHome's own hey_jarvis comes with; both can be changed in the manifest, or in ESPHome's configuration.
PROBABILITY_CUTOFF = 0.97
SLIDING_WINDOW_SIZE = 5
MINIMUM_ESPHOME_VERSION = "2024.7.0"  # the first that reads version 2 of the manifest
AUTHOR = "speechzoo"


@dataclass
class EsphomeExport:
    """What was written.

    Attributes:
        path: The manifest.
        parity: How far the network is from the Keras model.
        runtime: What ran the network to measure it: `TensorFlow Lite Micro` or `LiteRT`.
        network_bytes: Size of the network.
        arena_bytes: Memory that the manifest asks for.
        step_seconds: How much audio a step of the network hears.
        macs_per_second: Multiply-accumulates of the network in a second of audio.
        operators: The operators of the network.
    """

    path: Path
    parity: list[HeadParity]
    runtime: str
    network_bytes: int
    arena_bytes: int
    step_seconds: float
    macs_per_second: int
    operators: list[str]

    def report(self) -> dict:
        """Plain values, as `<word>_report.json` holds them."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def export_esphome(model, directory: str | Path, wake_word: str | None = None, representative=None,
                   heads: list[str] | None = None) -> EsphomeExport:
    """Writes `<word>.tflite`, its manifest `<word>.json` and `<word>_report.json` (export/esphome/README.md).

    The device computes the features; the network begins behind the front end. A step takes int8 features (1, frames of
    a step, 40) and gives uint8 (1, 1): the probability that the wake word has just been said, in 256ths. What it
    remembers is in variables of its own. Nothing is written when it is further from the Keras model than `int8` may be.

    Args:
        model: A causal `MultiTaskModel` with the front end `micro_features` and a `spotter` head, on TensorFlow.
        directory: Folder to write to; made when it isn't there.
        wake_word: One of the head's classes.
        representative: Recordings to calibrate and measure with, as `read_recordings` takes them.
        heads: Heads to look for the wake word in. Default: all.

    Raises:
        ExportError: An operator that ESPHome doesn't have, or a network beyond its tolerance.
        ValueError: A model, or a wake word, that ESPHome can't hear.
    """
    require_tensorflow("ESPHome's models")
    model = keep_heads(model, heads)
    head = _head_of(model, wake_word)
    recordings = [audio for audio in read_recordings(representative, model.frontend.sample_rate)
                  if len(audio) >= step_samples(model)]
    if not recordings:
        raise ValueError(f"no recording is as long as a step of the network, {step_samples(model)} samples")
    features = [np.asarray(model.frontend(audio[None], None)[0])[0] for audio in recordings]
    # int8 ends there, on the device too.
    features = [np.clip(each, 0.0, _GREATEST_FEATURE) for each in features]
    expected = [_keras_probabilities(model, head, wake_word, each) for each in features]
    with tempfile.TemporaryDirectory() as scratch:
        endpoint, memory = _endpoint(model, head, wake_word)
        write_saved_model(Path(scratch, SAVED_MODEL), [endpoint], [model, memory])
        calibration = _calibration(features, model.backbone.subsampling)
        network, _ = convert(Path(scratch), esphome, calibration, has_variables=True)
    operators = check_network(network)
    runner = EsphomeModel(network)
    name = re.sub(r"\W+", "_", wake_word)
    parity = _measure(expected, [runner.probabilities(each) for each in features], head.name)
    check_parity([parity], f"{name}.tflite")

    flatbuffer = parse(network)
    graph = flatbuffer.subgraphs[0]
    variables = sum(math.prod(graph.tensors[operator.outputs[0]].shape) for operator in graph.operators
                    if operator_name(flatbuffer, operator) == "READ_VARIABLE")
    arena = with_headroom(estimate_arena(network) + int(variables))
    step_seconds = runner.step_frames * model.frontend.hop_seconds
    path = Path(directory) / f"{name}.json"
    written = EsphomeExport(path, [parity], runner.runtime, len(network), arena, step_seconds,
                            round(count_graph_macs(flatbuffer, graph) / step_seconds), operators)
    write_atomically(path.with_suffix(".tflite"), network)
    report = {**written.report(), **model.origin.summary()}
    if model.origin.derived_from:
        write_atomically(path.with_name(f"{name}_{NOTICES}"), model.origin.notices().encode())
    for file, content in ((f"{name}_report.json", report), (path.name, manifest(wake_word, name, arena))):
        write_atomically(path.with_name(file), (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    return written


def esphome(source: Source) -> tuple[bytes, list]:
    """A quantizer: int8 with its state in variables, of examples (1, steps, frames of a step, bins)."""
    import tensorflow as tf

    converter = source.calibrated_converter([(RECOGNIZE, {"features": step[None]})
                                             for recording in source.examples for step in recording[0]])
    converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8
    # The converter's only way to variables in int8; without it they stay in float32.
    converter._experimental_variable_quantization = True
    return drop_names(converter.convert()), []


def manifest(wake_word: str, name: str, arena_bytes: int) -> dict:
    """Version 2 of ESPHome's manifest (`MANIFEST_SCHEMA_V2` of its component), for the file `<name>.tflite`."""
    return {"type": "micro", "wake_word": wake_word, "author": AUTHOR, "model": f"{name}.tflite",
            "trained_languages": ["en"], "version": 2,
            "micro": {"probability_cutoff": PROBABILITY_CUTOFF, "feature_step_size": 10,
                      "sliding_window_size": SLIDING_WINDOW_SIZE, "tensor_arena_size": arena_bytes,
                      "minimum_esphome_version": MINIMUM_ESPHOME_VERSION}}


def check_network(network: bytes) -> list[str]:
    """The operators of a network, sorted, all of which ESPHome has.

    Raises:
        ExportError: An operator that it doesn't have, more variables than it makes room for, or an input or output of
            another shape or type than it takes; the message names it.
    """
    model, types = parse(network), schema.TensorType
    graph = model.subgraphs[0]
    names = [operator_name(model, operator) for each in model.subgraphs for operator in each.operators]
    for name in sorted(set(names)):
        if name not in OPERATORS:
            raise ExportError(f"operator {name}: ESPHome's micro_wake_word doesn't have it; the backbone ds_cnn does "
                              "without")
    variables = sum(operator_name(model, operator) == "VAR_HANDLE" for operator in graph.operators)
    if variables > MAXIMUM_VARIABLES:
        raise ExportError(f"{variables} variables, and ESPHome has room for {MAXIMUM_VARIABLES}; use fewer blocks")
    tensors = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    shapes = [tuple(int(size) for size in tensor.shape) for tensor in tensors]
    fits = [tensor.type for tensor in tensors] == [types.INT8, types.UINT8]
    if not fits or shapes != [(1, *shapes[0][1:2], 40), (1, 1)]:
        raise ExportError(f"inputs and outputs of shapes {shapes}; ESPHome takes int8 (1, frames, 40) and uint8 (1, 1)")
    scale = tensors[0].quantization
    if not (np.isclose(scale.scale[0], FEATURE_SCALE) and scale.zeroPoint[0] == FEATURE_ZERO_POINT):
        raise ExportError(f"features of scale {scale.scale[0]:.5f} and zero point {scale.zeroPoint[0]}; ESPHome's are "
                          f"{FEATURE_SCALE:.5f} and {FEATURE_ZERO_POINT}")
    return sorted(set(names))


def _head_of(model, wake_word):
    if not isinstance(model.frontend, MicroFeatures):
        raise ValueError(f"model '{model.name}' doesn't have the front end micro_features, which is what ESPHome's "
                         "devices compute; train one like wake_ds_cnn_micro_streaming")
    if not model.can_stream:
        raise ValueError(f"model '{model.name}' can't stream: its backbone is not causal; train one with causal: true")
    spotters = [head for head in model.heads.values() if isinstance(head, SpotterHead)]
    if not spotters:
        raise ValueError(f"model '{model.name}' has no head of type spotter, which is what answers at every step; "
                         "train one like wake_ds_cnn_micro_streaming")
    words = {word: head for head in reversed(spotters) for word in head.wake_words}
    if wake_word is None:
        raise ValueError(f"format 'esphome' needs a wake word (--wake-word): {', '.join(words)}")
    if wake_word not in words:
        raise ValueError(f"the model has no wake word '{wake_word}'; {nearest(wake_word, words)}")
    return words[wake_word]


def _window_logits(model, head, features, state):
    """Logits (1, frames, classes) of every window that ends in `features` (1, frames, 40)."""
    frames, _ = model.backbone(features, None, training=False, state=part_of(state, "backbone"))
    return head.window_logits(frames[model.blocks[head.name] - 1], state=part_of(state, head.name))


def _keras_probabilities(model, head, wake_word, features):
    """float32 (steps,): softmax has no place in ESPHome's operators, so the word stands against its strongest rival."""
    steps = len(features) // model.backbone.subsampling
    features = features[:steps * model.backbone.subsampling]
    logits = np.asarray(_window_logits(model, head, features[None], None))[0]
    word = head.classes.index(wake_word)
    return 1 / (1 + np.exp(np.delete(logits, word, axis=-1).max(axis=-1) - logits[:, word]))


def _calibration(features, step_frames):
    """float32 (steps, frames of a step, 40) each; the greatest value of all is the greatest that int8 has."""
    features = [each[:len(each) // step_frames * step_frames].reshape(-1, step_frames, each.shape[1]).astype(np.float32)
                for each in features]
    loudest = max(range(len(features)), key=lambda index: features[index].max())
    features[loudest][np.unravel_index(features[loudest].argmax(), features[loudest].shape)] = _GREATEST_FEATURE
    features[loudest][0, 0, 0] = 0.0
    return features


def _endpoint(model, head, wake_word):
    """Features (1, frames of a step, bins) -> the word's probability (1, 1); and the module that holds its state."""
    import tensorflow as tf

    step_frames, classes = model.backbone.subsampling, len(head.classes)
    word = head.classes.index(wake_word)
    # Logits times this are those of the other classes less the word's.
    differences = np.delete(np.eye(classes, dtype=np.float32), word, axis=1)
    differences[word] = -1.0
    state = StreamState()
    _window_logits(model, head, np.zeros((1, step_frames, model.frontend.num_features), np.float32), state)
    memory = tf.Module(name="memory")
    memory.variables_by_name = {name: tf.Variable(tf.zeros(value.shape), name=name)
                                for name, value in state.new.items()}

    def answer(features):
        state = StreamState({name: variable.read_value() for name, variable in memory.variables_by_name.items()})
        logits = _window_logits(model, head, features, state)[:, -1]
        for name, value in state.new.items():
            memory.variables_by_name[name].assign(value)
        rivals = tf.reshape(tf.matmul(logits, differences), (1, 1, classes - 1, 1))
        strongest = tf.nn.max_pool2d(rivals, (1, classes - 1), 1, "VALID")
        return {"probability": tf.sigmoid(-1.0 * tf.reshape(strongest, (1, 1)))}

    features = tf.TensorSpec((1, step_frames, model.frontend.num_features), tf.float32, "features")
    return Endpoint(RECOGNIZE, answer, [features]), memory


def _measure(expected, got, head):
    """How far apart the averages are that ESPHome compares with its cutoff: the greatest difference per recording."""
    averages = [[np.convolve(each, np.ones(SLIDING_WINDOW_SIZE) / SLIDING_WINDOW_SIZE)[:len(each)] for each in pair]
                for pair in zip(expected, got)]
    value = float(np.mean([np.abs(one - other).max(initial=0.0) for one, other in averages]))
    changed = [(one > PROBABILITY_CUTOFF).any() != (other > PROBABILITY_CUTOFF).any() for one, other in averages]
    return HeadParity(head, "probability difference", value, TOLERANCES["int8"], float(np.mean(changed)), len(expected))
