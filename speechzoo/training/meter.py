"""Means over the steps between two records of a training log."""

import time

import keras
import numpy as np

from speechzoo.training.dev import head_values


class Meter:
    """Losses and metrics per labelled example, and the speed, since the last `take`.

    Args:
        model: The compiled MultiTaskModel that is trained.
    """

    def __init__(self, model: keras.Model):
        self._model = model
        self._reset()

    def add(self, logs: dict, seconds: float, weights: dict):
        """Counts one step: its logs, and the batch's seconds of audio and weights."""
        self._seconds += seconds
        self._losses.append(float(logs["loss"]))
        if "penalty" in logs:
            self._penalties.append(float(logs["penalty"]))
        for head in self._model.head_losses:
            count = float(np.sum(weights[head]))
            for name, value in (head_values(self._model, head, logs, training=True) if count else {}).items():
                total, counted = self._heads.get(name, (0.0, 0.0))
                self._heads[name] = (total + value * count, counted + count)

    def take(self) -> dict[str, float]:
        """The means, and starts anew.

        Returns:
            "loss" and "penalty" (over steps), "head/loss" and "head/<metric>" (over examples), "speed" (seconds of
            audio per second).
        """
        values = {"loss": float(np.mean(self._losses))}
        if self._penalties:
            values["penalty"] = float(np.mean(self._penalties))
        values.update({name: total / count for name, (total, count) in self._heads.items()})
        values["speed"] = self._seconds / max(time.perf_counter() - self._started, 1e-9)
        self._reset()
        return values

    def pause(self, seconds: float):
        """Leaves `seconds` of something else, such as an evaluation, out of the speed."""
        self._started += seconds

    def _reset(self):
        self._seconds, self._losses, self._penalties, self._heads, self._started = 0.0, [], [], {}, time.perf_counter()
