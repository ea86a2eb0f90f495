"""Measuring a model on held-out batches while it trains."""

from collections.abc import Iterable

import keras
import numpy as np

from speechzoo.metrics.direction import lower_is_better


def evaluate_on_dev(model: keras.Model, batches: Iterable, steps: int,
                    loss_weights: dict[str, float]) -> dict[str, float]:
    """Losses and metrics of the heads that have labels in `batches`.

    Args:
        model: A compiled MultiTaskModel; its current weights are evaluated.
        batches: `({"audio", "audio_length"}, {head: target}, {head: weight})`, once through.
        steps: Number of batches.
        loss_weights: Factor in "loss" of each head that has labels in `batches`.

    Returns:
        "loss" (weighted sum of the heads' losses), "head/loss" (nats per labelled example) and "head/<metric>".
    """
    logs = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
    values = {}
    for name in loss_weights:
        if name in model.head_losses:
            values.update(head_values(model, name, logs))
    total = sum(factor * values[f"{name}/loss"] for name, factor in loss_weights.items() if f"{name}/loss" in values)
    return {"loss": float(total), **values}


def head_values(model: keras.Model, head: str, logs: dict, training: bool = False) -> dict[str, float]:
    """One head's part of the logs of Keras, as "head/loss" and "head/<metric>"."""
    names = {f"{head}_loss": f"{head}/loss"}
    if model.heads[head].metrics_in_training or not training:
        names |= {metric.name: f"{head}/{metric.name.removeprefix(f'{head}_')}" for metric in model.head_metrics[head]}
    return {name: float(logs[key]) for key, name in names.items()}


def is_better(metric: str, value: float, best: float | None) -> bool:
    """Whether `value` improves on `best`: losses and error rates go down, accuracies and scores go up."""
    if not np.isfinite(value):
        return False
    if best is None:
        return True
    return value < best if lower_is_better(metric) else value > best
