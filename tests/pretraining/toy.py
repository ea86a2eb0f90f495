"""Objectives on features instead of recordings, behind any backbone or none."""

from types import SimpleNamespace

import keras
import numpy as np

HOP = 0.01


def described(num_features: int, subsampling: int = 1, chunk: int = 1, causal: bool = True):
    """What an objective asks of a front end and of a backbone."""
    return (SimpleNamespace(num_features=num_features, frame_seconds=HOP, causal=causal),
            SimpleNamespace(subsampling=subsampling, chunk=chunk, causal=causal))


def on_features(objective, num_features: int, backbone=None):
    """A model features, lengths -> the objective's output; without a backbone its frames are the features.

    Returns:
        keras.Model of inputs `features` (batch, frames, bins) and `lengths` (batch,).
    """
    frontend, description = described(num_features, *(() if backbone is None else (backbone.subsampling,
                                                                                    backbone.chunk)))
    objective.connect(frontend, description)
    features = keras.Input((None, num_features), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    seen, hidden = features, None
    if objective.mask is not None:
        seen, hidden = objective.mask(features, lengths)
    frames, frame_lengths = (seen, lengths) if backbone is None else backbone(seen, lengths)
    frames = frames[-1] if isinstance(frames, list) else frames
    return keras.Model({"features": features, "lengths": lengths},
                       objective(frames, frame_lengths, features, lengths, hidden))


def noise(batch: int, frames: int, bins: int, seed: int = 0) -> np.ndarray:
    """Normal noise, float32 (batch, frames, bins)."""
    return np.random.default_rng(seed).standard_normal((batch, frames, bins)).astype(np.float32)
