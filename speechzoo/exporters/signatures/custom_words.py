"""Signatures by which an exported file learns new words from a few recordings, in TFLite's own operators.

`speechzoo.edge.custom_words` is the other side.

Of the frames that say which phone is spoken, an utterance's mean and standard deviation, weighted by the probability
that a phone is spoken at all, tell words apart that nobody trained the model on, in other languages too. They are
standardised by those of other speech, the background, and scaled to length one. On this embedding stands one layer of
logistic detectors, one per word, in variables that all signatures share.
"""

import numpy as np
import tensorflow as tf

from speechzoo.decoding.heads import find_head, find_heads
from speechzoo.decoding.streams.windows import HOP_SECONDS, WINDOW_SECONDS
from speechzoo.edge import signatures
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import measure_parity
from speechzoo.exporters.signatures.signature import Signature

MAXIMUM_WORDS = 10
"""`MAXIMUM_WORDS` is the number of words that a file can learn."""
LOGIT_SCALE = 20.0
"""Logits are `LOGIT_SCALE` x (cosine - least cosine of the word)."""
LEARNING_RATE = 0.05
_MAXIMUM_WINDOWS = 256  # of the background


def word_head(spec: dict) -> str | None:
    """The head whose frames tell words apart: one that writes phones, else any that writes, else one of keywords.

    Args:
        spec: The model's spec.
    """
    return (find_head(spec, type="ctc", kind="phones") or find_head(spec, type="ctc")
            or find_head(spec, type="classifier", label="keyword"))


class CustomWords(Signature):
    """New words from a few recordings: five signatures that need each other."""

    name = signatures.WORDS_LEARN
    has_variables = True

    def __init__(self, model, spec, recordings):
        super().__init__(model, spec, recordings)
        self.learner = WordLearner(model, spec, recordings)
        self.variables = [self.learner]

    @classmethod
    def heads_of(cls, model, spec):
        head = word_head(spec)
        return [head] if head else []

    def endpoints(self):
        return self.learner.endpoints()

    def measure(self, device, expected, quantize):
        """Embeddings are compared as those of voices are."""
        name = signatures.WORDS_EMBED
        expected = [{name: self.learner.embed(audio[None]).numpy()[0]} for audio in self.recordings]
        outputs = [{name: device.run(name, audio=audio[None])["embedding"][0]} for audio in self.recordings]
        return measure_parity(expected, outputs, {"heads": {name: {"type": "speaker"}}}, quantize)


class WordLearner(tf.Module):
    """The embedding of words, and the layer that learns on it.

    Args:
        model: A `MultiTaskModel` with a `word_head`.
        spec: The model's spec.
        recordings: float32 (samples,) each, of speech in general: what no new word should be taken for.

    Attributes:
        kernel: Detectors of the words, (words, embedding size); a row of zeros is none.
        bias: (words,), less what a cosine has to reach.
    """

    def __init__(self, model, spec: dict, recordings: list[np.ndarray]):
        super().__init__(name="words")
        self._pool = _pooling(model, spec)
        background = self._pool(tf.constant(_windows(recordings, spec["sample_rate"])))
        mean, variance = tf.nn.moments(background, 0)
        # Constants of the graph, not weights that signatures share: NumPy.
        self._mean, self._deviation = mean.numpy(), np.sqrt(variance) + 1e-3
        self._background = self._standardise(background).numpy()
        self.kernel = tf.Variable(tf.zeros((MAXIMUM_WORDS, len(self._mean))), name="kernel")
        self.bias = tf.Variable(tf.zeros((MAXIMUM_WORDS,)), name="bias")

    def embed(self, audio):
        """audio (1, samples) -> embedding (1, size) of length one."""
        return self._standardise(self._pool(audio))

    def endpoints(self) -> list[Endpoint]:
        """What a file can be asked (docs/learning.md)."""
        audio = tf.TensorSpec((1, None), tf.float32, "audio")
        examples = [tf.TensorSpec((None, self.kernel.shape[1]), tf.float32, "embedding"),
                    tf.TensorSpec((None, MAXIMUM_WORDS), tf.float32, "target")]
        weights = [tf.TensorSpec(self.kernel.shape, tf.float32, "kernel"),
                   tf.TensorSpec(self.bias.shape, tf.float32, "bias")]
        return [
            Endpoint(signatures.WORDS_EMBED, lambda audio: {"embedding": self.embed(audio)}, [audio]),
            Endpoint(signatures.WORDS_LEARN, self._learn, examples),
            Endpoint(signatures.WORDS_INFER, lambda audio: {"scores": tf.sigmoid(self._logits(self.embed(audio)))},
                     [audio]),
            Endpoint(signatures.WORDS_SAVE,
                     lambda: {"kernel": self.kernel.read_value(), "bias": self.bias.read_value()}, []),
            Endpoint(signatures.WORDS_RESTORE, self._restore, weights),
        ]

    def _standardise(self, pooled):
        return tf.math.l2_normalize((pooled - self._mean) / self._deviation, axis=-1)

    def _logits(self, embedding):
        return LOGIT_SCALE * (tf.matmul(embedding, self.kernel, transpose_b=True) + self.bias)

    def _learn(self, embedding, target):
        """One step of gradient descent on the logistic loss: examples of a word against all others and the background.

        Both sides count half. Words without an example stay as they are. The loss is that before the step, in nats per
        word.
        """
        embedding = tf.concat([embedding, self._background], 0)
        target = tf.concat([target, tf.zeros((len(self._background), MAXIMUM_WORDS))], 0)
        positives, negatives = tf.reduce_sum(target, 0), tf.reduce_sum(1.0 - target, 0)
        taught = tf.cast(positives > 0, tf.float32)
        weight = 0.5 * taught * (target / tf.maximum(positives, 1.0) + (1.0 - target) / negatives)
        logits = self._logits(embedding)
        losses = tf.nn.relu(logits) - logits * target + tf.math.log(1.0 + tf.exp(-tf.abs(logits)))
        loss = tf.reduce_sum(weight * losses) / tf.maximum(tf.reduce_sum(taught), 1.0)
        gradient = LEARNING_RATE * LOGIT_SCALE * weight * (tf.sigmoid(logits) - target)
        self.kernel.assign_sub(tf.matmul(gradient, embedding, transpose_a=True))
        self.bias.assign_sub(tf.reduce_sum(gradient, 0))
        return {"loss": loss}

    def _restore(self, kernel, bias):
        self.kernel.assign(kernel)
        self.bias.assign(bias)
        return {"words": tf.reduce_sum(tf.cast(tf.reduce_any(kernel != 0.0, axis=1), tf.int32))}


def _pooling(model, spec):
    name = word_head(spec)
    head = model.heads[name]
    block = {name: model.blocks[name]}
    writes = name in find_heads(spec, type="ctc")

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
    return windows[np.unique(np.linspace(0, len(windows) - 1, _MAXIMUM_WINDOWS).astype(int))]
