"""YAML of strangers: plain values, or nothing; soon, and in little memory."""

import time
import tracemalloc

import pytest

from speechzoo.published.settings import MAXIMUM_BYTES, read_yaml
from tests.yaml_bombs import BOMBS


def test_plain_values():
    assert read_yaml(b"license: mit\ntags: [a, 1, 2.5, null]\n") == {"license": "mit", "tags": ["a", 1, 2.5, None]}


@pytest.mark.parametrize("text", [
    *BOMBS.values(), "a: &a 1\nb: *a", "a: [1", "a: !!bool x", "a: 2001-99-99", "[" * 10_000, b"\xff\xfe\x00",
    "!!python/object/apply:os.system ['true']", "? [a]\n: b", " " * (MAXIMUM_BYTES + 1)])
def test_anything_else_is_nothing(text):
    start = time.process_time()
    tracemalloc.start()
    try:
        assert read_yaml(text) is None
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5
