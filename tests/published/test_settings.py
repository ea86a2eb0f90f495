"""YAML of strangers: plain values, or nothing, and soon."""

import time

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
    assert read_yaml(text) is None
    assert time.process_time() - start < 10
