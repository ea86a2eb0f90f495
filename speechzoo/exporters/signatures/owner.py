"""Signatures by which an exported file adapts to how its owner speaks, in TFLite's own operators.

Tuned are scales and offsets of features, nothing else: those of the last layer normalisations of the block from which
phones are read. They are variables that all signatures share: whatever the file is asked, it hears as adapted. What
comes before them is computed once a recording, so that a step of training costs little.

Reference: Swietojanski, Li and Renals 2016, "Learning hidden unit contributions for unsupervised acoustic model
    adaptation", https://arxiv.org/abs/1601.02828, which tunes scales; here there are offsets, too.
"""

import numpy as np
import tensorflow as tf

from speechzoo.edge.owner import ADAPT, FRAMES, adapted_head


def adaptable_head(model) -> str | None:
    """The head that adaptation teaches what was said; None if the model can't adapt."""
    name = adapted_head(model.spec)
    return name if name and model.sharing.one_network and model.backbone.adaptable(model.blocks[name]) else None


class OwnerAdapter(tf.Module):
    """Steps of gradient descent towards what an owner is known to have said.

    Args:
        model: A `MultiTaskModel` with an `adaptable_head`.

    Attributes:
        head: Name of that head.
        signatures: Those of the file that it adds: one without the others is of no use.
    """

    signatures = ("adapt_frames", ADAPT, "save_affine", "restore_affine")

    def __init__(self, model):
        super().__init__(name="owner")
        self.head = adaptable_head(model)
        self._model, self._block = model, model.blocks[self.head]
        layers = model.backbone.adaptable(self._block)
        self._weights = [weight.value for layer in layers for weight in (layer.gamma, layer.beta)]
        self._sizes = [int(weight.shape[0]) for weight in self._weights]
        # A constant of the graph: what an adapted file goes back to.
        self._original = np.concatenate([weight.numpy() for weight in self._weights])
        self._widths = [part.shape[-1] for part in self.frames(tf.zeros((1, model.minimum_samples)))]

    def add_to(self, archive):
        """Adds the signatures to a `keras.export.ExportArchive`."""
        units = len(self._model.spec["heads"][self.head]["units"])
        audio = tf.TensorSpec((1, None), tf.float32, "audio")
        archive.add_endpoint("adapt_frames", lambda audio: {"frames": tf.concat(self.frames(audio), -1)}, [audio])
        archive.add_endpoint(ADAPT, self._adapt, [tf.TensorSpec((1, FRAMES, sum(self._widths)), tf.float32, "frames"),
                                                  tf.TensorSpec((1, FRAMES, units + 1), tf.float32, "target"),
                                                  tf.TensorSpec((), tf.float32, "rate")])
        archive.add_endpoint("save_affine", self._save, [])
        archive.add_endpoint("restore_affine", self._restore,
                             [tf.TensorSpec(self._original.shape, tf.float32, "affine")])

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
        """One step on frames (1, FRAMES, size); what is returned is what was heard before it.

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
