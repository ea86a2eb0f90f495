"""How well classes are learnt from a few recordings: figures over many episodes."""

import numpy as np

from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.metrics.calibration import find_temperature
from speechzoo.metrics.rejection import calibrate_threshold

FALSE_ACCEPTS = 0.05
"""`FALSE_ACCEPTS` is the share of what belongs to no class that may be taken for one."""

Answers = list[tuple[np.ndarray, np.ndarray]]


def calibrate(answers: Answers) -> tuple[float, float | None]:
    """Temperature and threshold for answers, from episodes of classes that the method knows.

    Args:
        answers: Logits (queries, ways) and targets (queries,), -1 of what belongs to no class, of each episode.

    Returns:
        The temperature that logits are divided by, and the posterior that 5 % of what belongs to no class reaches; None
        without any such queries.
    """
    logits, targets = (np.concatenate(parts) for parts in zip(*answers))
    temperature = find_temperature(logits[targets >= 0], targets[targets >= 0])
    if np.all(targets >= 0):
        return temperature, None
    confidences = _confidences(logits, temperature)
    return temperature, calibrate_threshold(confidences[targets >= 0], confidences[targets < 0], FALSE_ACCEPTS)[0]


def few_shot_figures(answers: Answers, temperature: float = 1.0, threshold: float | None = None) -> dict[str, float]:
    """Figures over episodes, shares from 0 to 1, with 95 % intervals: mean +- 1.96 standard errors over episodes.

    Args:
        answers: Logits (queries, ways) and targets (queries,), -1 of what belongs to no class, of each episode.
        temperature: That logits are divided by before their softmax.
        threshold: Posterior from which on a query is taken for a class, as it was set before.

    Returns:
        `accuracy`: right among the ways, of queries that belong to one. Where there are others, too: `hits`, right and
        accepted at the threshold that lets 5 % of the others through, which is chosen on these very queries;
        `set_hits` and `set_false_accepts`, at the `threshold` given. Each with `_low` and `_high`.
    """
    right, confidence, known = [], [], []
    for logits, targets in answers:
        right.append((logits.argmax(axis=1) == targets).astype(float))
        confidence.append(_confidences(logits, temperature))
        known.append(targets >= 0)
    figures = _with_interval("accuracy", [each[own].mean() for each, own in zip(right, known)])
    if all(own.all() for own in known):
        return figures
    inside, outside = (np.concatenate([each[own == kind] for each, own in zip(confidence, known)])
                       for kind in (True, False))
    chosen = calibrate_threshold(inside, outside, FALSE_ACCEPTS)[0]
    lines = {"hits": chosen, **({} if threshold is None else {"set_hits": threshold})}
    for name, line in lines.items():
        figures |= _with_interval(name, [(each * (sure >= line))[own].mean()
                                         for each, sure, own in zip(right, confidence, known)])
    if threshold is not None:
        figures |= _with_interval("set_false_accepts", [(sure >= threshold)[~own].mean() for sure, own in
                                                        zip(confidence, known) if not own.all()])
    return figures


def _confidences(logits, temperature):
    return np.exp(log_softmax(np.asarray(logits, np.float64) / temperature)).max(axis=1)


def _with_interval(name, values):
    mean = float(np.mean(values))
    half = float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return {name: mean, f"{name}_low": max(mean - half, 0.0), f"{name}_high": min(mean + half, 1.0)}
