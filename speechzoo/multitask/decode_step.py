"""One token after another: the steps of an attention decoder in NumPy, for a search over them."""

import keras
import numpy as np
from keras import ops

from speechzoo.decoding.attention.cache import cache_at
from speechzoo.decoding.attention.memory import MemoryParts, memory_shapes


class DecodeStep:
    """One step of the decoder of a head, compiled.

    Args:
        head: A built `Seq2SeqHead`.

    Example:
        step = model.decode_steps["transcript"]
        memory, state = outputs["transcript"], None
        logits, state, attention = step(np.array([start]), 0, memory, state)
    """

    def __init__(self, head):
        self._shapes = head.cache_shapes()
        inputs = {"tokens": keras.Input((1,), dtype="int32"), "position": keras.Input((), dtype="int32")}
        # Texts of one utterance share its memory.
        memory = {name: keras.Input(shape, batch_size=1) for name, shape in memory_shapes(self._shapes).items()}
        cache = {name: keras.Input((None, size)) for name, (_, size) in self._shapes.items()}
        self._model = keras.Model([inputs, memory, cache], StepLayer(head)(inputs, memory, cache))
        self._parts = MemoryParts(self._shapes, ops.convert_to_tensor)

    def __call__(self, tokens: np.ndarray, position: int, memory: np.ndarray, state: dict | None) -> tuple:
        """One more token of each of several texts of one utterance.

        Args:
            tokens: int (texts,), those at `position`.
            position: From 0; less than the head's `maximum_tokens`.
            memory: float32 (frames, channels), the head's output for the utterance.
            state: What the step before gave; None at position 0. Its arrays have the texts along their first axis.

        Returns:
            Logits of the next token, float32 (texts, vocabulary); the new state; and the weights of the frames,
            float32 (texts, frames), averaged over the alignment heads.
        """
        texts = len(tokens)
        cache = cache_at(position, texts, state, self._shapes)
        inputs = {"tokens": np.asarray(tokens, np.int32)[:, None], "position": np.full(texts, position, np.int32)}
        logits, cache, weights = self._model.predict_on_batch([inputs, self._parts(memory), cache])
        return np.asarray(logits), {name: np.asarray(part) for name, part in cache.items()}, np.asarray(weights)


class StepLayer(keras.layers.Layer):
    """`Seq2SeqHead.decode_step` as a layer, so that Keras compiles it on every backend."""

    def __init__(self, head):
        super().__init__(dtype="float32", name=f"{head.name}_step")
        self.head = head
        self.built = True

    def call(self, inputs, memory, cache):
        """Tokens (batch, 1), position (batch,), memory and cache -> logits (batch, vocabulary), cache and attention."""
        return self.head.decode_step(inputs["tokens"], inputs["position"], memory, cache)
