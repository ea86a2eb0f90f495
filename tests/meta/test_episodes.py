"""Episodes, and the figures over them."""

import numpy as np
import pytest

from speechzoo.meta.episodes import EpisodeSampler
from speechzoo.meta.evaluation import calibrate, few_shot_figures

LABELS = [name for name in "abcdef" for _ in range(12)]
SPEAKERS = [f"speaker {number % 6}" for number in range(72)]
SILENCES = [72, 73]


def sampler(**options):
    options = {"ways": 3, "shots": 2, "queries": 2, "unknown": 4, "silence": 1, "silences": SILENCES, **options}
    return EpisodeSampler([*LABELS, None, None], [*SPEAKERS, None, None], members=range(72), **options)


def test_an_episode_is_what_it_says():
    for number in range(30):
        episode = sampler().draw(number)
        assert len(set(episode.names)) == 3 and episode.support.shape == (6,) and episode.query.shape == (11,)
        names = [LABELS[index] for index in episode.support]
        assert names == [episode.names[target] for target in episode.support_targets]
        assert [LABELS[index] for index in episode.query[:6]] == [episode.names[target] for target in
                                                                 episode.query_targets[:6]]
        assert (episode.query_targets[6:] == -1).all() and episode.query[10] in SILENCES
        assert not {LABELS[index] for index in episode.query[6:10]} & set(episode.names)
        assert len(set(episode.support)) == 6 and len(set(episode.query[:10])) == 10
        learning, tested = ({SPEAKERS[index] for index in numbers} for numbers in (episode.support, episode.query[:10]))
        assert not learning & tested


def test_episodes_follow_from_seed_and_number():
    one, same, other = sampler(), sampler(), sampler(seed=2)
    assert all(np.array_equal(*pair) for pair in zip(one.draw(7), same.draw(7)))
    assert not np.array_equal(one.draw(7).support, one.draw(8).support)
    assert not np.array_equal(one.draw(7).support, other.draw(7).support)


def test_speakers_that_are_not_known():
    unknown = EpisodeSampler(LABELS, [None] * 72, ways=3, shots=6, queries=3)
    assert not unknown.by_speaker
    for number in range(10):
        episode = unknown.draw(number)
        assert not set(episode.support) & set(episode.query)
    assert not EpisodeSampler(LABELS, ["one"] * 72, ways=3, shots=6, queries=3).by_speaker


@pytest.mark.parametrize("options, message", [
    ({"ways": 6}, "6 ways need 6 classes and one for unknown words; there are 6; ask for fewer ways, or no unknown"),
    ({"shots": 7}, "at most 0 classes have 7 recordings to learn from and 2 to test on when speakers"),
    ({"ways": 1}, "ways must be 2 or more, got 1"),
    ({"silences": []}, "silence asks for recordings in which nobody speaks"),
])
def test_what_can_not_be_drawn(options, message):
    with pytest.raises(ValueError, match=message):
        sampler(**options)


def test_figures_are_those_by_hand():
    # Posteriors of the greatest logit of two: 0.9, 0.8, 0.7, 0.6; of others 0.65.
    def logits(*posteriors):
        return np.array([[np.log(value), np.log(1 - value)] for value in posteriors])

    answers = [(logits(0.9, 0.2, 0.65), np.array([0, 0, -1])), (logits(0.7, 0.6, 0.65), np.array([0, 0, -1]))]
    figures = few_shot_figures(answers, threshold=0.599)
    # One of two, and two of two; the deviation over the episodes is 0.354, its error 0.25.
    assert figures["accuracy"] == 0.75 and figures["accuracy_low"] == pytest.approx(0.75 - 0.49)
    assert figures["accuracy_high"] == 1.0
    # Above 0.65 lie 0.9 and 0.7, which are right, and 0.8, which isn't.
    assert figures["hits"] == pytest.approx(0.5)
    assert figures["set_hits"] == pytest.approx(0.75) and figures["set_false_accepts"] == 1.0
    alone = few_shot_figures([(one[:2], targets[:2]) for one, targets in answers])
    assert set(alone) == {"accuracy", "accuracy_low", "accuracy_high"}


def test_a_threshold_lets_five_per_cent_through():
    random = np.random.default_rng(1)
    known = random.normal(0, 1, (40, 20, 3)) + 2 * np.eye(3)[np.zeros(20, int)]
    others = random.normal(0, 1, (40, 10, 3))
    answers = [(4 * np.concatenate(pair), np.repeat([0, -1], [20, 10])) for pair in zip(known, others)]
    temperature, threshold = calibrate(answers)
    # Logits of unit variance and means 2 apart are exact posteriors when multiplied by 2.
    assert temperature == pytest.approx(2, rel=0.15)
    assert few_shot_figures(answers, temperature, threshold)["set_false_accepts"] == pytest.approx(0.05, abs=0.01)
