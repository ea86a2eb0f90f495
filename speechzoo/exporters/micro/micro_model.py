"""A micro export, run on this computer as a microcontroller runs it."""

import numpy as np

from speechzoo.decoding.recognition import select_heads
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.exporters.micro.interpreter import choose_runtime
from speechzoo.exporters.network.flatbuffer import parse
from speechzoo.frontends.fixed_point import FixedPointLogMel


class MicroModel(Recognizer):
    """The int8 network behind the front end in integers.

    With the package `tflite-micro` the network runs in TensorFlow Lite Micro itself, otherwise in LiteRT's kernels
    without XNNPACK, which round a fully connected layer differently now and then (by one step of 256).

    Args:
        network: A flatbuffer that `check_operators` accepts, with features as its one input.
        model: The `MultiTaskModel` that it was made of.

    Attributes:
        spec: Of the model that it was made of, with the heads that the network has.
        heads: Head -> its classes, in the order of the network's outputs.
        window_samples: How much audio the network hears at once.
        frontend: The `FixedPointLogMel`.
        feature_quantization: Scale and zero point of the features.
        quantization: Head -> scale and zero point of its logits.
        runtime: What runs the network: `TensorFlow Lite Micro` or `LiteRT`.
    """

    def __init__(self, network: bytes, model):
        flatbuffer = parse(network)
        graph = flatbuffer.subgraphs[0]
        order = [int(index) for index in graph.outputs]
        outputs = {item.name.decode(): item.tensorIndex for item in flatbuffer.signatureDefs[0].outputs}
        names = sorted(outputs, key=lambda head: order.index(outputs[head]))
        self.spec = select_heads(model.spec, names)
        self.heads = {head: self.spec["heads"][head]["classes"] for head in names}
        self.window_samples = int(graph.tensors[graph.inputs[0]].shape[1]) * model.frontend.hop_length
        self.feature_quantization = _quantization(graph, graph.inputs[0])
        self.quantization = {head: _quantization(graph, outputs[head]) for head in names}
        self.frontend = FixedPointLogMel.from_layer(model.frontend, *self.feature_quantization)
        self.runtime, start = choose_runtime()
        self._run = start(network)

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """Every head's logits for one window of each recording, which is cut or completed with silence; see
        `Recognizer.batch_outputs`."""
        return [self._outputs(audio) for audio in audios]

    def _outputs(self, audio):
        samples = np.clip(np.rint(audio[:self.window_samples] * 32768), -32768, 32767).astype(np.int16)
        features = self.frontend(np.pad(samples, (0, self.window_samples - len(samples))))
        return {head: (values.astype(np.float32) - self.quantization[head][1]) * self.quantization[head][0]
                for head, values in zip(self.heads, self.run(features))}

    def run(self, features: np.ndarray) -> list[np.ndarray]:
        """The network alone: int8 (frames, bins) -> int8 logits (classes,) of every head."""
        return [output[0] for output in self._run(features[None])]


def _quantization(graph, index):
    """Scale and zero point of a tensor."""
    parameters = graph.tensors[index].quantization
    return float(parameters.scale[0]), int(parameters.zeroPoint[0])
