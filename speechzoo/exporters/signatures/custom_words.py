"""Signatures by which an exported file learns new words from a few recordings, in TFLite's own operators.

Of the frames that say which phone is spoken, an utterance's mean and standard deviation, weighted by the probability
that a phone is spoken at all, tell words apart that nobody trained the model on, in other languages too. They are
standardised by those of other speech, the background, and scaled to length one. On this embedding stands one layer of
logistic detectors, one a word, in variables that all signatures share.
"""

import numpy as np
import tensorflow as tf

from speechzoo.decoding.heads import find_head, find_heads
from speechzoo.listening.listener import HOP_SECONDS, WINDOW_SECONDS

LEARN = "learn"
ROOM = 10
"""Words that a file can learn."""
SCALE = 20.0
"""Logits are so many times what the detectors give: cosines, less what is required."""
_RATE = 0.05
_MAXIMUM_BACKGROUND = 256  # windows


def word_head(model) -> str | None:
    """The head whose frames tell words apart: one that writes phones, else any that writes, else one of keywords."""
    spec = model.spec
    return (find_head(spec, type="ctc", kind="phones") or find_head(spec, type="ctc")
            or find_head(spec, type="classifier", label="keyword"))


class WordLearner(tf.Module):
    """The embedding of words, and the layer that learns on it.

    Args:
        model: A `MultiTaskModel` with a `word_head`.
        recordings: float32 (samples,) each, of speech in general: what no new word should be taken for.

    Attributes:
        signatures: Those of the file that it adds: one without the others is of no use.
    """

    signatures = ("embed_word", LEARN, "infer_custom", "save", "restore")

    def __init__(self, model, recordings: list[np.ndarray]):
        super().__init__(name="words")
        self._pool = _pooling(model)
        background = self._pool(tf.constant(_windows(recordings, model.spec["sample_rate"])))
        mean, variance = tf.nn.moments(background, 0)
        # Constants of the graph, not weights that signatures share: NumPy.
        self._mean, self._deviation = mean.numpy(), np.sqrt(variance) + 1e-3
        self._background = self._standardise(background).numpy()
        self.kernel = tf.Variable(tf.zeros((ROOM, len(self._mean))), name="kernel")
        self.bias = tf.Variable(tf.zeros((ROOM,)), name="bias")

    def embed(self, audio):
        """audio (1, samples) -> embedding (1, size) of length one."""
        return self._standardise(self._pool(audio))

    def add_to(self, archive):
        """Adds the signatures to a `keras.export.ExportArchive`."""
        audio = tf.TensorSpec((1, None), tf.float32, "audio")
        examples = [tf.TensorSpec((None, self.kernel.shape[1]), tf.float32, "embedding"),
                    tf.TensorSpec((None, ROOM), tf.float32, "target")]
        weights = [tf.TensorSpec(self.kernel.shape, tf.float32, "kernel"), tf.TensorSpec((ROOM,), tf.float32, "bias")]
        archive.track(self)
        archive.add_endpoint("embed_word", lambda audio: {"embedding": self.embed(audio)}, [audio])
        archive.add_endpoint(LEARN, self._learn, examples)
        archive.add_endpoint("infer_custom", lambda audio: {"scores": tf.sigmoid(self._logits(self.embed(audio)))},
                             [audio])
        archive.add_endpoint("save", lambda: {"kernel": self.kernel.read_value(), "bias": self.bias.read_value()}, [])
        archive.add_endpoint("restore", self._restore, weights)

    def _standardise(self, pooled):
        return tf.math.l2_normalize((pooled - self._mean) / self._deviation, axis=-1)

    def _logits(self, embedding):
        return SCALE * (tf.matmul(embedding, self.kernel, transpose_b=True) + self.bias)

    def _learn(self, embedding, target):
        """One step of gradient descent on the logistic loss: examples of a word against all others and the background.

        Both sides count half. Words without an example stay as they are. The loss is that before the step, nats a word.
        """
        embedding = tf.concat([embedding, self._background], 0)
        target = tf.concat([target, tf.zeros((len(self._background), ROOM))], 0)
        positives, negatives = tf.reduce_sum(target, 0), tf.reduce_sum(1.0 - target, 0)
        taught = tf.cast(positives > 0, tf.float32)
        weight = 0.5 * taught * (target / tf.maximum(positives, 1.0) + (1.0 - target) / negatives)
        logits = self._logits(embedding)
        losses = tf.nn.relu(logits) - logits * target + tf.math.log(1.0 + tf.exp(-tf.abs(logits)))
        loss = tf.reduce_sum(weight * losses) / tf.maximum(tf.reduce_sum(taught), 1.0)
        gradient = _RATE * SCALE * weight * (tf.sigmoid(logits) - target)
        self.kernel.assign_sub(tf.matmul(gradient, embedding, transpose_a=True))
        self.bias.assign_sub(tf.reduce_sum(gradient, 0))
        return {"loss": loss}

    def _restore(self, kernel, bias):
        self.kernel.assign(kernel)
        self.bias.assign(bias)
        return {"words": tf.reduce_sum(tf.cast(tf.reduce_any(kernel != 0.0, axis=1), tf.int32))}


def _pooling(model):
    name = word_head(model)
    head = model.heads[name]
    block = {name: model.blocks[name]}
    writes = name in find_heads(model.spec, type="ctc")

    def pool(audio):
        features, _ = model.frontend(audio, None, training=False)
        frames, _ = model.sharing(features, None, block, training=False)
        frames = frames[name]
        weights = tf.ones_like(frames[..., :1])
        if writes:
            # A little everywhere, so that silence has an embedding too.
            weights = 1.001 - tf.nn.softmax(head(frames, None, training=False))[..., :1]
        weights = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
        mean = tf.reduce_sum(weights * frames, axis=1, keepdims=True)
        variance = tf.reduce_sum(weights * tf.square(frames - mean), axis=1)
        return tf.concat([mean[:, 0], tf.sqrt(variance + 1e-5)], axis=-1)

    return pool


def _windows(recordings, rate) -> np.ndarray:
    """(windows, samples), as a wake word is sought in them; at most 256, at even steps."""
    size, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    recordings = [np.pad(audio, (0, max(0, size - len(audio)))) for audio in recordings]
    windows = np.stack([audio[end - size:end] for audio in recordings for end in range(size, len(audio) + 1, hop)])
    return windows[np.unique(np.linspace(0, len(windows) - 1, _MAXIMUM_BACKGROUND).astype(int))]
