"""Signatures that answer whole recordings: `recognize` all heads, `keyword` and `embed` one, from fewer layers."""

import tensorflow as tf

from speechzoo.decoding.heads import find_heads
from speechzoo.decoding.recognition import select_heads
from speechzoo.edge import signatures
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import measure_parity
from speechzoo.exporters.signatures.signature import Signature


class Recognize(Signature):
    """`audio` float32 (1, samples) -> every head's output, by name."""

    name = signatures.RECOGNIZE

    @classmethod
    def heads_of(cls, model, spec):
        return list(spec["heads"])

    def endpoints(self):
        def answer(audio):
            outputs = self.model.forward_unpadded(audio)
            return {head: outputs[head] for head in self.heads}  # the graph drops what nothing needs

        # One utterance at a time has no padding, so the graph that devices run has no masks. The static batch of 1 lets
        # the converter fold shapes.
        return [Endpoint(self.name, answer, [tf.TensorSpec((1, None), tf.float32, "audio")])]

    def measure(self, device, expected, quantize):
        outputs = device.batch_outputs(self.recordings, self.heads)
        return measure_parity(expected, outputs, select_heads(self.spec, self.heads), quantize)


class EarlyExit(Recognize):
    """`audio` -> the output of one head, the first of its kind, without the layers behind the block that it reads.

    Attributes:
        kind: What `find_heads` finds the head by.
    """

    kind: dict[str, str] = {}

    @classmethod
    def heads_of(cls, model, spec):
        return find_heads(spec, **cls.kind)[:1]


class Keyword(EarlyExit):
    """Commands and wake words alone."""

    name = signatures.KEYWORD
    kind = {"type": "classifier", "label": "keyword"}


class Embed(EarlyExit):
    """Voice embeddings alone."""

    name = signatures.EMBED
    kind = {"type": "speaker"}
