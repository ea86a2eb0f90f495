import numpy as np
import pytest

from speechzoo.metrics.verification import (eer_interval, equal_error_rate, error_rates, minimum_detection_cost,
                                            rates_from_counts, trial_counts)


def make_voices(num_speakers=12, num_utterances=9, spread=0.9, seed=5):
    generator = np.random.default_rng(seed)
    centers = generator.standard_normal((num_speakers, 8))
    speakers = np.repeat(np.arange(num_speakers), num_utterances)
    return centers[speakers] + spread * generator.standard_normal((len(speakers), 8)), [f"s{s}" for s in speakers]


def all_scores(embeddings, speakers):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    pairs = [(unit[i] @ unit[j], speakers[i] == speakers[j]) for i in range(len(unit)) for j in range(i)]
    return np.array([score for score, _ in pairs]), np.array([same for _, same in pairs])


def test_worked_example():
    # Thresholds between the scores; at the one above 0.4 one of four targets is missed and one of four others accepted.
    miss, false_alarm = error_rates([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1])
    assert equal_error_rate(miss, false_alarm) == pytest.approx(0.25)
    # Best: threshold above 0.6: one miss of four, no false alarm. Cost 0.01 * 0.25, normalised by 0.01.
    assert minimum_detection_cost(miss, false_alarm) == pytest.approx(0.25)
    perfect = error_rates([0.9, 0.8], [0.1, 0.2])
    assert equal_error_rate(*perfect) == 0 and minimum_detection_cost(*perfect) == 0
    same = error_rates([0.5, 0.5], [0.5, 0.5])
    assert equal_error_rate(*same) == pytest.approx(0.5) and minimum_detection_cost(*same) == pytest.approx(1)
    with pytest.raises(ValueError, match="0 target and 1 non-target"):
        error_rates([], [0.5])


@pytest.mark.parametrize("decimals", [8, 1])
def test_equals_scikit_learns_curve(decimals):
    metrics = pytest.importorskip("sklearn.metrics")
    scores, same = all_scores(*make_voices())
    scores = scores.round(decimals)  # one decimal: many ties
    miss, false_alarm = error_rates(scores[same], scores[~same])
    false_positive, true_positive, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 200_001)
    gap = np.abs(1 - np.interp(grid, false_positive, true_positive) - grid)
    assert equal_error_rate(miss, false_alarm) == pytest.approx(grid[gap.argmin()], abs=1e-5)
    cost = (0.01 * (1 - true_positive) + 0.99 * false_positive).min() / 0.01
    assert minimum_detection_cost(miss, false_alarm) == pytest.approx(cost)


def test_histogram_of_all_trials_equals_every_pair(monkeypatch):
    monkeypatch.setattr("speechzoo.metrics.verification.BLOCK_ROWS", 10)
    embeddings, speakers = make_voices()
    scores, same = all_scores(embeddings, speakers)
    targets, nontargets = trial_counts(embeddings, speakers)
    assert targets.sum() == same.sum() and nontargets.sum() == (~same).sum()
    exact, counted = error_rates(scores[same], scores[~same]), rates_from_counts(targets, nontargets)
    assert equal_error_rate(*counted) == pytest.approx(equal_error_rate(*exact), abs=1e-3)
    assert minimum_detection_cost(*counted) == pytest.approx(minimum_detection_cost(*exact), abs=1e-3)


def test_interval_holds_the_rate_and_narrows_with_speakers():
    widths = []
    for num_speakers in (8, 60):
        embeddings, speakers = make_voices(num_speakers, 5)
        rate = equal_error_rate(*rates_from_counts(*trial_counts(embeddings, speakers)))
        low, high = eer_interval(embeddings, speakers)
        assert low < rate < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 1.5


def test_interval_from_a_choice_of_trials_is_close():
    embeddings, speakers = make_voices(40, 6)
    some = eer_interval(embeddings, speakers, max_trials=5000)
    assert some == pytest.approx(eer_interval(embeddings, speakers), abs=0.02)


@pytest.mark.parametrize("num_speakers, num_utterances, trials, spread, seed", [
    (2, 10, 200_000, 0.5, 4), (2, 40, 200_000, 1.0, 10), (2, 40, 200_000, 1.5, 11), (5, 30, 50, 1.5, 0), (9, 8, 40, 1.0, 1)])
def test_interval_holds_the_rate(num_speakers, num_utterances, trials, spread, seed):
    embeddings, speakers = make_voices(num_speakers, num_utterances, spread, seed)
    rate = equal_error_rate(*rates_from_counts(*trial_counts(embeddings, speakers)))
    low, high = eer_interval(embeddings, speakers, max_trials=trials)
    assert 0 <= low <= rate <= high <= 1
