"""Talking to a model behind TensorFlow Serving; needs no TensorFlow over REST."""

from speechzoo.serving.client import Client
from speechzoo.serving.errors import ModelNotFoundError, ServingError

__all__ = ["Client", "ModelNotFoundError", "ServingError"]
