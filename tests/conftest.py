"""Settings of the whole suite: no GPU, quiet TensorFlow, nothing of the user's own, and converters in this process."""

import collections
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")

from tests.converter import converting_here  # noqa: E402
from tests.helpers import without_graphs  # noqa: E402


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: the processes among which files are dealt out then end together."""
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def converter():
    with converting_here():
        yield


@pytest.fixture(name="without_graphs")
def steps_without_graphs():
    """For tests that train a tiny model for a few steps; see `tests.helpers.without_graphs`."""
    with without_graphs():
        yield
