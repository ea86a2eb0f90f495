"""What every bad file must get: one clear line, for little memory."""

import tracemalloc

import pytest


def refused(open_file, path, message: str, maximum_bytes: int = 3_000_000):
    """`open_file(path)` raises a ValueError of one line that begins with the path and holds `message`."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as raised:
            open_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < maximum_bytes
    assert str(raised.value).startswith(f"{path}: truncated, damaged or no ") and str(raised.value).endswith("again")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 600
