"""The cache of an attention decoder: what it has computed for the tokens before the one that it reads."""

import numpy as np

CACHE_STEP = 32
"""A cache begins with room for `CACHE_STEP` tokens and grows by as many: a step costs by the room that there is."""


def cache_at(position: int, texts: int, state: dict | None, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The cache that a step begins with, with room for the token at a position; what is added is zero.

    Args:
        position: Of the token, from 0.
        texts: Rows.
        state: What the step before gave: name -> float32 (texts, room, size); None or empty at position 0.
        shapes: Name -> [most tokens, size], the `cache` of a head's spec.

    Raises:
        ValueError: A position behind the last token, or the state of another decoder.
    """
    if not state:
        state = {name: np.zeros((texts, 0, size), np.float32) for name, (_, size) in shapes.items()}
    if set(state) != set(shapes):
        raise ValueError(f"the state is that of another decoder: it has {', '.join(sorted(state))}, not "
                         f"{', '.join(sorted(shapes))}")
    cache = {}
    for name, (most, _) in shapes.items():
        if position >= most:
            raise ValueError(f"position {position}: the decoder reads {most} tokens at most")
        room = min(most, (position // CACHE_STEP + 1) * CACHE_STEP)
        missing = max(0, room - state[name].shape[1])
        cache[name] = np.pad(state[name], ((0, 0), (0, missing), (0, 0))) if missing else state[name]
    return cache
