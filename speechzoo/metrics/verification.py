"""Speaker verification: equal error rate and minimum detection cost over all trials among utterances.

A trial compares two utterances by the cosine of their embeddings; it is a target trial when one person speaks in both.
Trials grow with the square of the utterances, so they are counted into a fine histogram block by block: memory stays
at some tens of megabytes, and a score is exact to 1/131072.
"""

import numpy as np

from speechzoo.metrics.bootstrap import bootstrap_weights, percentile_interval

SCORE_BINS = 2**18
BLOCK_ROWS = 256


def rates_from_counts(targets: np.ndarray, nontargets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Miss and false alarm rates at every threshold, from counts by rising score.

    Args:
        targets: (..., scores), target trials at each score.
        nontargets: (..., scores), non-target trials at each score.

    Returns:
        Two arrays (..., scores + 1): misses rise from 0 to 1 and false alarms fall from 1 to 0.
    """
    def below(counts):
        sums = np.cumsum(counts, axis=-1, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
        return sums / sums[..., -1:]

    return below(targets), 1 - below(nontargets)


def error_rates(target_scores, nontarget_scores) -> tuple[np.ndarray, np.ndarray]:
    """Miss and false alarm rates at every threshold between the scores; see `rates_from_counts`.

    Raises:
        ValueError: No target or no non-target trial.
    """
    target_scores, nontarget_scores = np.asarray(target_scores).ravel(), np.asarray(nontarget_scores).ravel()
    if not len(target_scores) or not len(nontarget_scores):
        raise ValueError(f"{len(target_scores)} target and {len(nontarget_scores)} non-target trials; need both kinds")
    scores, index = np.unique(np.concatenate([target_scores, nontarget_scores]), return_inverse=True)
    return rates_from_counts(np.bincount(index[:len(target_scores)], minlength=len(scores)),
                             np.bincount(index[len(target_scores):], minlength=len(scores)))


def equal_error_rate(miss: np.ndarray, false_alarm: np.ndarray) -> float:
    """The rate at which misses equal false alarms, interpolated linearly between thresholds.

    Args:
        miss: (thresholds,), rising; from `error_rates`.
        false_alarm: (thresholds,), falling.
    """
    after = int(np.argmax(miss >= false_alarm))  # at threshold 0 misses are 0 and false alarms 1
    gap_before = false_alarm[after - 1] - miss[after - 1]
    gap_after = miss[after] - false_alarm[after]
    share = gap_before / (gap_before + gap_after)
    return float(miss[after - 1] + share * (miss[after] - miss[after - 1]))


def minimum_detection_cost(miss: np.ndarray, false_alarm: np.ndarray, target_prior: float = 0.01,
                           miss_cost: float = 1.0, false_alarm_cost: float = 1.0) -> float:
    """Normalised minimum detection cost (NIST SRE 2016 evaluation plan, section 3.1).

    Args:
        miss: (thresholds,), from `error_rates`.
        false_alarm: (thresholds,).
        target_prior: Probability of a target trial in use.
        miss_cost: Cost of a miss.
        false_alarm_cost: Cost of a false alarm.

    Returns:
        The lowest cost over thresholds, over that of always answering the cheaper of yes and no: 0 to 1.
    """
    cost = miss_cost * target_prior * miss + false_alarm_cost * (1 - target_prior) * false_alarm
    return float(cost.min() / min(miss_cost * target_prior, false_alarm_cost * (1 - target_prior)))


def trial_counts(embeddings: np.ndarray, speakers, num_bins: int = SCORE_BINS) -> tuple[np.ndarray, np.ndarray]:
    """Counts all trials among utterances by score.

    Args:
        embeddings: (utterances, size); scaled to unit length here.
        speakers: Speaker of each utterance, hashable.
        num_bins: Bins of the scores from -1 to 1.

    Returns:
        Target and non-target counts, int64 (bins,) each, by rising score.
    """
    embeddings, index = _normalized(embeddings, speakers)
    targets, nontargets = np.zeros(num_bins, np.int64), np.zeros(num_bins, np.int64)
    for start in range(0, len(embeddings), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        # Each pair once: columns from this block on, above the diagonal.
        bins = _bins(embeddings[rows] @ embeddings[start:].T, num_bins)
        once = np.arange(bins.shape[1])[None, :] > np.arange(bins.shape[0])[:, None]
        same = index[rows, None] == index[None, start:]
        targets += np.bincount(bins[once & same], minlength=num_bins)
        nontargets += np.bincount(bins[once & ~same], minlength=num_bins)
    return targets, nontargets


def eer_interval(embeddings: np.ndarray, speakers, samples: int = 200, level: float = 0.95, seed: int = 1,
                 max_trials: int = 200_000) -> list[float]:
    """Interval of the equal error rate over all trials, resampling speakers.

    A speaker drawn k times brings each of their target trials k times, and two speakers drawn j and k times their
    non-target trials j * k times; two copies of one speaker are not set against each other. Resamples are measured on a
    choice of the trials and in coarse steps; they are moved by what that does to the rate of all speakers. The interval
    holds the rate itself, also where few speakers make resamples lie on one side of it.

    Args:
        embeddings: (utterances, size).
        speakers: Speaker of each utterance.
        samples: Resamples.
        level: Coverage.
        seed: Seed of the resampling.
        max_trials: At most so many trials of each kind are used; a random choice stands for more.

    Returns:
        `[low, high]`.
    """
    embeddings, index = _normalized(embeddings, speakers)
    generator, num_bins = np.random.default_rng(seed), 2**12
    order = np.argsort(index, kind="stable")
    pairs = []
    for members in np.split(order, np.cumsum(np.bincount(index))[:-1]):
        first, second = np.triu_indices(len(members), 1)
        pairs.append(np.stack([members[first], members[second]]))
    target = np.concatenate(pairs, axis=1)
    if target.shape[1] > max_trials:
        target = target[:, generator.choice(target.shape[1], max_trials, replace=False)]
    if len(index) * (len(index) - 1) // 2 > 2 * max_trials:
        nontarget = generator.integers(len(index), size=(2, max_trials))
    else:
        nontarget = np.stack(np.triu_indices(len(index), 1))
    nontarget = nontarget[:, index[nontarget[0]] != index[nontarget[1]]]

    def scored(trials):
        parts = np.array_split(trials, max(trials.shape[1] // 10_000, 1), axis=1)
        scores = [(embeddings[first] * embeddings[second]).sum(axis=1) for first, second in parts]
        return _bins(np.concatenate(scores), num_bins), index[trials]

    target_bins, target_speakers = scored(target)
    nontarget_bins, nontarget_speakers = scored(nontarget)
    num_speakers = int(index.max()) + 1

    def rate(weights):
        targets = np.bincount(target_bins, weights[target_speakers[0]], num_bins)
        together = weights[nontarget_speakers[0]] * weights[nontarget_speakers[1]]
        nontargets = np.bincount(nontarget_bins, together, num_bins)
        if targets.sum() and nontargets.sum():  # else all draws fell on one speaker, or on speakers of one utterance
            return equal_error_rate(*rates_from_counts(targets, nontargets))

    exact = equal_error_rate(*rates_from_counts(*trial_counts(embeddings, index)))
    resampled = [rate(weights) for weights in bootstrap_weights(num_speakers, samples, seed).astype(np.float64)]
    moved = np.array([value for value in resampled if value is not None]) + exact - rate(np.ones(num_speakers))
    low, high = percentile_interval(np.clip(moved, 0, 1), level)
    return [min(low, exact), max(high, exact)]


def _normalized(embeddings, speakers):
    embeddings = np.asarray(embeddings, np.float32)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    _, index = np.unique(np.asarray([str(speaker) for speaker in speakers]), return_inverse=True)
    return embeddings / np.maximum(norms, 1e-12), index


def _bins(scores, num_bins):
    return np.clip(((scores + 1) * (num_bins / 2)).astype(np.int32), 0, num_bins - 1)
