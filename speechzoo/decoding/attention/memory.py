"""The memory of an attention decoder, as its steps read it."""

import weakref
from collections.abc import Callable

import numpy as np

VALID = "memory_valid"
"""The part `VALID` is 1 in the frames that are heard, 0 in those that are padding."""


def memory_name(name: str) -> str:
    """The part of the memory that belongs to a part of the cache: `block_1_keys` -> `memory_block_1_keys`."""
    return f"memory_{name}"


def memory_parts(memory: np.ndarray, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """What each block of a decoder attends to, by name: once per recording, so that no step takes it apart.

    Args:
        memory: float32 (utterances, frames, channels), what a `seq2seq` head gives: of each block keys and values, and
            last 1 in the frames that are not padding.
        shapes: Name -> [most tokens, size], the `cache` of the head's spec: keys and values of each block in turn.

    Returns:
        Keys (utterances, frames, size) and values (utterances, size, frames) of each block under `memory_name`, and
        `VALID` (utterances, frames).

    Raises:
        ValueError: A memory of another shape.
    """
    sizes = [size for _, size in shapes.values()]
    if np.ndim(memory) != 3 or np.shape(memory)[2] != sum(sizes) + 1:
        raise ValueError(f"memory of shape {np.shape(memory)}; expected (utterances, frames, {sum(sizes) + 1})")
    *parts, valid = np.split(np.asarray(memory, np.float32), np.cumsum(sizes), axis=2)
    # Values stand as a product with the weights of the frames reads them, row by row.
    turned = [part.swapaxes(1, 2) if number % 2 else part for number, part in enumerate(parts)]
    return {**{memory_name(name): np.ascontiguousarray(part) for name, part in zip(shapes, turned)},
            VALID: np.ascontiguousarray(valid[:, :, 0])}


def memory_shapes(shapes: dict[str, list[int]]) -> dict[str, tuple[int | None, ...]]:
    """The shapes that `memory_parts` gives without the utterances, None for the frames; the argument is its."""
    found = {memory_name(name): (size, None) if number % 2 else (None, size)
             for number, (name, (_, size)) in enumerate(shapes.items())}
    return {**found, VALID: (None,)}


class MemoryParts:
    """`memory_parts` of the utterance at hand: one array for all of its steps, and its parts are gone when it is.

    Args:
        shapes: As of `memory_parts`.
        convert: Makes of each part what the steps take.
    """

    def __init__(self, shapes: dict[str, list[int]], convert: Callable = np.asarray):
        self._shapes, self._convert = shapes, convert
        self._forget()

    def __call__(self, memory: np.ndarray) -> dict[str, np.ndarray]:
        """The parts of a memory (frames, channels).

        Raises:
            ValueError: A memory of another decoder.
        """
        if self._of() is not memory:
            parts = memory_parts(np.asarray(memory)[None], self._shapes)
            self._parts = {name: self._convert(part) for name, part in parts.items()}
            self._of = weakref.ref(memory, self._forget)
        return self._parts

    def _forget(self, _=None):
        self._of, self._parts = lambda: None, {}
