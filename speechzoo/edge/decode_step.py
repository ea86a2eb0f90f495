"""The steps of an exported attention decoder, for a search over them."""

from collections.abc import Callable

import numpy as np

from speechzoo.decoding.attention.cache import cache_at
from speechzoo.decoding.attention.memory import MemoryParts


class DecodeStep:
    """One step of the decoder that a file has, by its signature `decode_step`.

    Args:
        run: Runs the signature: inputs by name -> outputs by name.
        shapes: The `cache` of the head's spec.
    """

    def __init__(self, run: Callable[..., dict[str, np.ndarray]], shapes: dict[str, list[int]]):
        self._run = run
        self._shapes = shapes
        self._parts = MemoryParts(shapes)

    def __call__(self, tokens: np.ndarray, position: int, memory: np.ndarray, state: dict | None) -> tuple:
        """One more token of each of several texts of one utterance.

        Args:
            tokens: int (texts,), those at `position`.
            position: From 0.
            memory: float32 (frames, channels), the head's output for the utterance.
            state: What the step before gave; None at position 0. Its arrays have the texts along their first axis.

        Returns:
            Logits of the next token, float32 (texts, vocabulary); the new state; and the weights of the frames,
            float32 (texts, frames).

        Raises:
            ValueError: A position behind the last token, or the state or the memory of another decoder.
        """
        cache = cache_at(position, len(tokens), state, self._shapes)
        outputs = self._run(tokens=np.asarray(tokens, np.int32)[:, None], position=np.array(position, np.int32),
                            **self._parts(memory), **cache)
        return outputs["logits"], {name: outputs[name] for name in cache}, outputs["attention"]
