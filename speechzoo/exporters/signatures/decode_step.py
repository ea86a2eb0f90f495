"""The signature by which an exported file writes text, token by token."""

import numpy as np
import tensorflow as tf

from speechzoo.decoding.attention.memory import memory_shapes
from speechzoo.decoding.heads import find_heads
from speechzoo.edge import signatures
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import measure_logits
from speechzoo.exporters.signatures.signature import Signature

# Of the most probable text of each recording, the file is measured on so many tokens.
_TOKENS = 12


class DecodeStep(Signature):
    """`tokens` int32 (texts, 1) at `position` int32 (), and tensor by tensor the memory of a recording and the cache.

    The memory is what `speechzoo.decoding.attention.memory.memory_parts` makes of the head's output. It gives `logits`
    (texts, vocabulary), `attention` (texts, frames) and the new cache. Everything but the position has any size that
    fits together: texts of one recording share its memory.
    """

    name = signatures.DECODE_STEP

    @classmethod
    def heads_of(cls, model, spec):
        return find_heads(spec, type="seq2seq")[:1]

    @property
    def head(self):
        """The head whose decoder it runs."""
        return self.model.heads[self.heads[0]]

    def endpoints(self):
        shapes = self.head.cache_shapes()

        def step(inputs):
            cache = dict(inputs)
            tokens, position = cache.pop("tokens"), cache.pop("position")
            memory = {name: cache.pop(name) for name in memory_shapes(shapes)}
            logits, cache, attention = self.head.decode_step(tokens, position, memory, cache)
            return {"logits": logits, "attention": attention, **cache}

        inputs = {"tokens": tf.TensorSpec((None, 1), tf.int32, "tokens"),
                  "position": tf.TensorSpec((), tf.int32, "position")}
        inputs.update({name: tf.TensorSpec((1, *shape), tf.float32, name)
                       for name, shape in memory_shapes(shapes).items()})
        inputs.update({name: tf.TensorSpec((None, None, size), tf.float32, name)
                       for name, (_, size) in shapes.items()})
        return [Endpoint(self.name, step, [inputs])]

    def measure(self, device, expected, quantize):
        """Logits of the tokens of Keras's own greedy text, step by step, on Keras's memory."""
        name, pairs = self.heads[0], []
        for outputs in expected:
            tokens = self._greedy_text(outputs[name])
            wanted, got = (_logits(model.decode_steps[name], tokens, outputs[name]) for model in (self.model, device))
            pairs.append((wanted, got))
        return [measure_logits(name, pairs, quantize)]

    def _greedy_text(self, memory) -> list[int]:
        """The start and what Keras finds most probable behind it."""
        step, tokens, state = self.model.decode_steps[self.heads[0]], list(self.head.start_tokens), None
        most = min(self.head.maximum_tokens, len(tokens) + _TOKENS)
        for position in range(most - 1):
            logits, state, _ = step(np.array(tokens[position:position + 1]), position, memory, state)
            if position + 1 == len(tokens):
                tokens.append(int(logits[0].argmax()))
        return tokens


def _logits(step, tokens, memory) -> np.ndarray:
    """Logits float64 (tokens, vocabulary) of what follows each of `tokens`."""
    rows, state = [], None
    for position, token in enumerate(tokens):
        logits, state, _ = step(np.array([token]), position, memory, state)
        rows.append(logits[0].astype(np.float64))
    return np.stack(rows)
