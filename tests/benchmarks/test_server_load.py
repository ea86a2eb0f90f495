"""The benchmark of the server: its clients see what is lost."""

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra [server] is not installed")

from benchmarks.speed.server import measure, percentile, request, soak, transcript_of
from tests.fake_model import FakeModel
from tests.helpers import encoded
from tests.listening.test_listener import sound
from tests.server.running import running


def test_percentiles_are_those_of_numpy():
    values = list(np.random.default_rng(1).permutation(137) / 7)
    for share in (0.5, 0.95, 0.99):
        assert percentile(values, share) == np.percentile(values, 100 * share, method="inverted_cdf")


def test_load_and_bad_requests():
    audio = encoded(sound(2), "FLAC")
    good = request({"model": "fake"}, audio)
    with running({"fake": FakeModel()}) as (address, _):
        port = int(address.split(":")[1])
        expected = transcript_of(port, good)
        assert b'"go left now"' in expected
        row = measure(port, "fake", good, expected, clients=3, seconds=0.3)
        assert row["requests"] >= 3 and row["lost"] == 0 and 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert measure(port, "fake", good, b"another answer", clients=1, seconds=0.1)["lost"] > 0
        last = soak(port, "fake", good, expected, audio, minutes=0.02, count=34)[-1]
    assert last["refused"] == 34 and last["lost"] == 0 and last["memory_mb"] > 1 and last["answered"] > 0
