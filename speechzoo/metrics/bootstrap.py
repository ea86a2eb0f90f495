"""Confidence intervals by resampling speakers."""

import numpy as np

SAMPLES = 1000


def bootstrap_weights(num_groups: int, samples: int = SAMPLES, seed: int = 1) -> np.ndarray:
    """How often each group is drawn in each resample: int64 (samples, groups)."""
    return np.random.default_rng(seed).multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=samples)


def percentile_interval(values: np.ndarray, level: float = 0.95) -> list[float]:
    """The middle `level` of resampled values as `[low, high]`."""
    return [float(value) for value in np.quantile(values, [(1 - level) / 2, (1 + level) / 2])]


def bootstrap_interval(statistic, counts: np.ndarray, groups, samples: int = SAMPLES, level: float = 0.95,
                       seed: int = 1) -> list[float] | None:
    """Percentile interval of a statistic of sums, resampling whole groups (Efron & Tibshirani 1993, chapter 13).

    Utterances of one speaker resemble each other, so resampling utterances would give intervals that are too narrow;
    give the speakers as groups.

    Args:
        statistic: Sums (samples, columns) -> values (samples,), such as `error_rate`.
        counts: (utterances, columns), what is summed.
        groups: Group of each utterance, hashable.
        samples: Resamples.
        level: Coverage.
        seed: Seed of the resampling; the same seed gives the same interval.

    Returns:
        `[low, high]`, or None with fewer than two groups, where nothing can be said.
    """
    counts = np.asarray(counts, np.float64)
    names, index = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, index, counts)
    return percentile_interval(statistic(bootstrap_weights(len(names), samples, seed) @ sums), level)
