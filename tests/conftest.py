"""Settings of the whole suite: no GPU, quiet TensorFlow, nothing of the user's own, and converters in this process."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")

from tests.converter import converting_here  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def converter():
    with converting_here():
        yield
