"""Signatures by which an exported file adapts to how its owner speaks, in TFLite's own operators.

Tuned are scales and offsets of features, nothing else: those of the last layer normalisations of the block from which
phones are read. They are variables that all signatures share: whatever the file is asked, it hears as adapted. What
comes before them is computed once per recording, so that a step of training costs little.

`speechzoo.edge.owner` is the other side.

Reference: Swietojanski, Li and Renals 2016, "Learning hidden unit contributions for unsupervised acoustic model
    adaptation", https://arxiv.org/abs/1601.02828, which tunes scales; here there are offsets, too.
"""

import numpy as np
import tensorflow as tf

from speechzoo.decoding.recognition import select_heads
from speechzoo.edge import owner, signatures
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import measure_parity
from speechzoo.exporters.signatures.signature import Signature


def adaptable_head(model, spec: dict) -> str | None:
    """The head that adaptation teaches what was said; None if the model can't adapt."""
    name = owner.adapted_head(spec)
    return name if name and model.sharing.one_network and model.backbone.adaptable(model.blocks[name]) else None


class Owner(Signature):
    """An owner's way to speak, from what they are known to have said: four signatures that need each other."""

    name = signatures.OWNER_ADAPT
    has_variables = True

    def __init__(self, model, spec, recordings):
        super().__init__(model, spec, recordings)
        head, = self.heads
        self.adapter = OwnerAdapter(model, head, len(spec["heads"][head]["units"]))

    @classmethod
    def heads_of(cls, model, spec):
        head = adaptable_head(model, spec)
        return [head] if head else []

    def endpoints(self):
        return self.adapter.endpoints()

    def measure(self, device, expected, quantize):
        """In two parts, as adaptation computes them, the head gives what it gives at once."""
        head, = self.heads
        adapted = owner.Owner(device)
        outputs = [{head: adapted.logits(audio)} for audio in self.recordings]
        return measure_parity(expected, outputs, select_heads(self.spec, [head]), quantize)


class OwnerAdapter(tf.Module):
    """Steps of gradient descent towards what an owner is known to have said.

    Args:
        model: A `MultiTaskModel` with an `adaptable_head`.
        head: Name of that head.
        units: How many units it writes, without the blank.
    """

    def __init__(self, model, head: str, units: int):
        super().__init__(name="owner")
        self.head, self._units = head, units
        self._model, self._block = model, model.blocks[head]
        layers = model.backbone.adaptable(self._block)
        self._weights = [weight.value for layer in layers for weight in (layer.gamma, layer.beta)]
        self._sizes = [int(weight.shape[0]) for weight in self._weights]
        # A constant of the graph: what an adapted file goes back to.
        self._original = np.concatenate([weight.numpy() for weight in self._weights])
        self._widths = [part.shape[-1] for part in self.frames(tf.zeros((1, model.minimum_samples)))]

    def endpoints(self) -> list[Endpoint]:
        """What a file can be asked (docs/learning.md)."""
        audio = tf.TensorSpec((1, None), tf.float32, "audio")
        step = [tf.TensorSpec((1, owner.FRAMES_PER_STEP, sum(self._widths)), tf.float32, "frames"),
                tf.TensorSpec((1, owner.FRAMES_PER_STEP, self._units + 1), tf.float32, "target"),
                tf.TensorSpec((), tf.float32, "rate")]
        return [
            Endpoint(signatures.OWNER_FRAMES, lambda audio: {"frames": tf.concat(self.frames(audio), -1)}, [audio]),
            Endpoint(signatures.OWNER_ADAPT, self._adapt, step),
            Endpoint(signatures.OWNER_SAVE, self._save, []),
            Endpoint(signatures.OWNER_RESTORE, self._restore,
                     [tf.TensorSpec(self._original.shape, tf.float32, "affine")]),
        ]

    def frames(self, audio):
        """audio (1, samples) -> what the adaptable part reads: tensors (1, frames, size)."""
        features, lengths = self._model.frontend(audio, None, training=False)
        stream = self._model.backbone.stem(features, lengths, False)
        for number in range(1, self._block):
            stream = self._model.backbone.block(number, stream, False)
        return self._model.backbone.before_adaptable(self._block, stream)

    def logits(self, parts):
        """What `frames` gave -> (1, frames, units + 1)."""
        frames = self._model.backbone.adaptable_part(self._block, *parts)
        return self._model.heads[self.head](frames, None, training=False)

    def _adapt(self, frames, target, rate):
        """One step on frames (1, FRAMES_PER_STEP, size); the logits are those before it.

        The target is how probable each unit is at each frame, given what was said; from zeros nothing is learnt.
        Probabilities less these are the gradient of the CTC loss by the logits (Graves et al. 2006, equation 16).
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._weights)
            logits = self.logits(tf.split(frames, self._widths, axis=-1))
        known = tf.reduce_sum(target, axis=-1, keepdims=True)
        slope = rate * (known * tf.nn.softmax(logits) - target)
        gradients = tape.gradient(logits, self._weights, output_gradients=slope)
        for weight, gradient in zip(self._weights, gradients):
            weight.assign_sub(gradient)
        return {"logits": logits}

    def _save(self):
        return {"affine": tf.concat([weight.read_value() for weight in self._weights], 0),
                "original": tf.constant(self._original)}

    def _restore(self, affine):
        for weight, part in zip(self._weights, tf.split(affine, self._sizes)):
            weight.assign(part)
        return {"change": tf.reduce_max(tf.abs(affine - self._original))}
