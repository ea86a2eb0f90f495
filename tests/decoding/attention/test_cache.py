"""Caches that grow with the text."""

import numpy as np
import pytest

from speechzoo.decoding.attention.cache import CACHE_STEP, cache_at

SHAPES = {"keys": [CACHE_STEP + 5, 2]}


def test_a_cache_has_room_for_the_position():
    cache = cache_at(0, 3, None, SHAPES)
    assert cache["keys"].shape == (3, CACHE_STEP, 2) and not cache["keys"].any()
    assert cache_at(CACHE_STEP - 1, 3, cache, SHAPES)["keys"] is cache["keys"]
    cache["keys"][:] = 1
    grown = cache_at(CACHE_STEP, 3, cache, SHAPES)["keys"]
    assert grown.shape == (3, CACHE_STEP + 5, 2)  # no more than there are tokens
    assert grown[:, :CACHE_STEP].all() and not grown[:, CACHE_STEP:].any()


def test_what_fits_no_decoder_is_one_line():
    with pytest.raises(ValueError, match="position 37: the decoder reads 37 tokens at most"):
        cache_at(CACHE_STEP + 5, 1, None, SHAPES)
    with pytest.raises(ValueError, match="that of another decoder: it has values, not keys"):
        cache_at(0, 1, {"values": np.zeros((1, 1, 2))}, SHAPES)
