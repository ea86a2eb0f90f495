"""A wake word's network, run on this computer as ESPHome runs it."""

import numpy as np

from speechzoo.exporters.micro.interpreter import choose_runtime
from speechzoo.exporters.network.flatbuffer import parse

MAXIMUM_VARIABLES = 20
"""`MAXIMUM_VARIABLES` is the number of variables that ESPHome makes room for (`streaming_model.cpp`)."""


class EsphomeModel:
    """The int8 network behind features that are rounded as ESPHome rounds them, one step after the other.

    With the package `tflite-micro` the network runs in TensorFlow Lite Micro itself, otherwise in LiteRT's kernels
    without XNNPACK.

    Args:
        network: A flatbuffer that `check_network` accepts.

    Attributes:
        step_frames: Frames of features that a step takes.
        runtime: What runs the network: `TensorFlow Lite Micro` or `LiteRT`.
    """

    def __init__(self, network: bytes):
        graph = parse(network).subgraphs[0]
        self.step_frames = int(graph.tensors[graph.inputs[0]].shape[1])
        self.network = network
        self.runtime, self._start = choose_runtime()

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """What the network says of a recording: from features (frames, 40), float32 (frames // step frames,).

        It begins as the device does after it was started: with nothing remembered.
        """
        steps = len(features) // self.step_frames
        quantized = quantize_features(features[:steps * self.step_frames])
        run = self._start(self.network)
        answers = [run(step[None])[0] for step in quantized.reshape(steps, self.step_frames, features.shape[1])]
        return np.array(answers, np.float32).reshape(steps) / 256


def quantize_features(features: np.ndarray) -> np.ndarray:
    """Features as int8, as `micro_wake_word.cpp` makes them of the front end's whole numbers (25.6 to a unit)."""
    whole = np.rint(np.asarray(features) * 25.6).astype(np.int32)
    return np.clip((whole * 256 + 333) // 666 - 128, -128, 127).astype(np.int8)
