"""Small corpora beside large ones, rare classes, and heads that join later: what an epoch draws."""

from collections import Counter

import numpy as np
import pytest

from speechzoo.config import ConfigError, DataConfig, SourceConfig, load_config
from speechzoo.data.batching import BatchPlan
from speechzoo.data.manifest import write_manifest
from tests.data.batch_corpus import LabelIndex

WORDS = LabelIndex("keyword", ["yes", "no"])
WORDS.classes = WORDS.names
VOICES = LabelIndex("gender", ["female", "male"])


def source(folder, name, labels, **options):
    """A manifest of half a second utterances with these labels."""
    write_manifest(folder / name, [{"id": f"{name}-{number}", "audio": f"{number}.wav", "duration": 0.5, **label}
                                   for number, label in enumerate(labels)])
    return SourceConfig(name, **options)


def make_plan(folder, sources, first_epochs=None, epochs=1, **options):
    config = DataConfig(root=str(folder), seconds_per_batch=1.0, bucket_seconds=[0.5], **options)
    return BatchPlan(sources, config, {"keyword": WORDS, "gender": VOICES}, seed=2, first_epochs=first_epochs,
                     epochs=epochs)


def drawn(plan, epoch=0):
    return np.concatenate([batch.indices[batch.weights > 0] for batch in plan.epoch(epoch)])


@pytest.mark.parametrize("temperature, small", [(1.0, 10), (2.0, 27.5), (5.0, 42.8), (1e6, 55)])
def test_temperature_draws_small_sources_more_often(tmp_path, temperature, small):
    """10 utterances beside 100: of 110, sizes to the power of 1 / temperature decide."""
    sources = [source(tmp_path, "small.jsonl", [{"keyword": "no"}] * 10),
               source(tmp_path, "large.jsonl", [{"keyword": "yes"}] * 100)]
    expected = 110 * 10 ** (1 / temperature) / (10 ** (1 / temperature) + 100 ** (1 / temperature))
    assert expected == pytest.approx(small, rel=0.05)
    plan = make_plan(tmp_path, sources, source_temperature=temperature)
    epochs = [drawn(plan, epoch) for epoch in range(4)]
    for indices in epochs:
        assert len(indices) == pytest.approx(110, abs=2)
        assert (indices < 10).sum() == pytest.approx(expected, abs=1)
    counts = Counter(np.concatenate(epochs).tolist())
    assert set(range(110)) <= set(counts)  # less of the large one an epoch, and still all of it in time
    assert max(counts[index] for index in range(10)) - min(counts[index] for index in range(10)) <= 2
    assert plan.class_counts("keyword") == pytest.approx({"yes": 110 - expected, "no": expected})


def test_a_temperature_of_one_changes_nothing(tmp_path):
    sources = [source(tmp_path, "a.jsonl", [{"keyword": "no"}] * 7, repeat=0.3),
               source(tmp_path, "b.jsonl", [{"keyword": "yes"}] * 31, repeat=1.7)]
    plans = [make_plan(tmp_path, sources), make_plan(tmp_path, sources, source_temperature=1.0)]
    assert [batch.indices.tolist() for batch in plans[0].epoch(3)] == [
        batch.indices.tolist() for batch in plans[1].epoch(3)]


def test_temperature_is_annealed(tmp_path):
    """Stickland and Murray 2019: in epoch e of E, sizes to the power of 1 - 0.8 (e - 1) / (E - 1) decide."""
    sources = [source(tmp_path, "small.jsonl", [{"keyword": "no"}] * 10),
               source(tmp_path, "large.jsonl", [{"keyword": "yes"}] * 100)]
    plan = make_plan(tmp_path, sources, epochs=5, last_source_temperature=5.0)
    powers = [1 - 0.8 * (epoch - 1) / 4 for epoch in range(1, 6)]
    expected = [110 * 10 ** power / (10 ** power + 100 ** power) for power in powers]
    epochs = [drawn(plan, epoch) for epoch in range(5)]
    assert [(indices < 10).sum() for indices in epochs] == pytest.approx(expected, abs=1)
    assert [len(indices) for indices in epochs] == pytest.approx([110] * 5, abs=2)
    counts = Counter(np.concatenate(epochs).tolist())
    assert set(range(110)) == set(counts)
    assert max(counts[index] for index in range(10)) - min(counts[index] for index in range(10)) <= 1
    mean = sum(expected) / 5
    assert plan.class_counts("keyword") == pytest.approx({"yes": 110 - mean, "no": mean})
    assert (drawn(plan, 7) < 10).sum() == pytest.approx(expected[-1], abs=1)  # trained on after the last


def test_counts_are_what_epochs_draw(tmp_path):
    labels = [{"keyword": "no"}] * 8 + [{"keyword": "yes"}] * 32 + [{"gender": "male"}] * 10
    for options in ({}, {"repeat": 0.5}, {"balance": "keyword"}, {"balance": "keyword", "balance_power": 0.5}):
        plan = make_plan(tmp_path, [source(tmp_path, "a.jsonl", labels, **options)])
        indices = np.concatenate([drawn(plan, epoch) for epoch in range(8)])
        counts = plan.class_counts("keyword")
        seen = {"yes": ((8 <= indices) & (indices < 40)).sum() / 8, "no": (indices < 8).sum() / 8}
        assert counts == pytest.approx(seen, abs=1)
    assert counts["yes"] == pytest.approx(2 * counts["no"])  # the square root of four


def test_balanced_draws_recall_the_rare_class(tmp_path):
    """Logistic regression in NumPy on points that belong to the utterances drawn."""
    random = np.random.default_rng(0)
    rare = np.arange(400) >= 380
    points = np.stack([random.standard_normal(400) + 2 * rare, np.ones(400)])
    unseen = np.stack([np.random.default_rng(1).standard_normal(500) + 2, np.ones(500)])
    recall = []
    for balance in (None, "keyword"):
        labels = [{"keyword": "no" if is_rare else "yes"} for is_rare in rare]
        indices = drawn(make_plan(tmp_path, [source(tmp_path, "a.jsonl", labels, balance=balance)]))
        weights = np.zeros(2)
        for _ in range(500):
            error = rare[indices] - 1 / (1 + np.exp(-weights @ points[:, indices]))
            weights += points[:, indices] @ error / len(indices)
        recall.append((weights @ unseen > 0).mean())
    assert recall[1] > recall[0] + 0.2


def test_heads_join_later(tmp_path):
    labels = [{"keyword": "yes"}] * 4 + [{"gender": "male"}] * 4 + [{"keyword": "no", "gender": "female"}] * 4
    plan = make_plan(tmp_path, [source(tmp_path, "a.jsonl", labels)], {"keyword": 1, "gender": 3})
    assert plan.class_counts("keyword") == {"yes": 4, "no": 4}
    for epoch, heard in enumerate([8, 8, 12]):
        assert len(set(drawn(plan, epoch).tolist())) == heard
        weights = [plan.targets(batch)[1] for batch in plan.epoch(epoch)]
        assert sum(weight["keyword"].sum() for weight in weights) == 8
        assert sum(weight["gender"].sum() for weight in weights) == (8 if epoch == 2 else 0)
    weights = [plan.targets(batch)[1]["gender"] for batch in plan.sequential()]
    assert np.concatenate(weights).sum() == 8  # an evaluation has every head
    assert not make_plan(tmp_path, [SourceConfig("a.jsonl")], {"keyword": 2, "gender": 2}).epoch(0)


def test_recordings_without_labels_wait_for_nobody(tmp_path):
    labels = [{}] * 3 + [{"gender": "male"}] * 4 + [{"keyword": "no"}] * 2
    plan = make_plan(tmp_path, [source(tmp_path, "a.jsonl", labels)], {"gender": 2})
    assert set(drawn(plan, 0)) == {0, 1, 2, 7, 8} and set(drawn(plan, 1)) == set(range(9))


def test_a_few_recordings_of_a_source(tmp_path):
    labels = [{"keyword": "yes" if number % 2 else "no"} for number in range(9)]
    plan = make_plan(tmp_path, [source(tmp_path, "a.jsonl", labels, utterances=3),
                                source(tmp_path, "b.jsonl", labels[:2], utterances=5)])
    assert plan.examples.ids == ["a.jsonl-0", "a.jsonl-4", "a.jsonl-8", "b.jsonl-0", "b.jsonl-1"]
    assert plan.report()["left_out"] == {"beyond 3 of a source": 6}
    assert plan.class_counts("keyword") == {"yes": 1, "no": 4}


@pytest.mark.parametrize("override, message", [
    ("data.source_temperature=0", "source_temperature: must be above 0, got 0"),
    ("heads.keyword.first_epoch=0", "heads.keyword.first_epoch: must be 1 or more, got 0")])
def test_values_that_mean_nothing(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config("mtl_ds_cnn_micro", [override])
