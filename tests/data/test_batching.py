import copy
from collections import Counter

import numpy as np
import pytest

from speechzoo.config import AugmentConfig, ConfigError, DataConfig, RangeConfig, SourceConfig
from speechzoo.data.batching import BatchPlan
from speechzoo.data.manifest import write_manifest
from tests.data.batch_corpus import HEADS, LabelIndex, Letters
from tests.helpers import tone, write_wav


def manifest(folder, durations, name="a.jsonl", **labels):
    """A manifest without audio; `labels` gives a function of the utterance's number for each field."""
    utterances = [{"id": f"{name}-{number}", "audio": f"{number}.wav", "duration": float(duration),
                   **{field: value(number) for field, value in labels.items() if value(number) is not None}}
                  for number, duration in enumerate(durations)]
    write_manifest(folder / name, utterances)
    return SourceConfig(name)


def settings(folder, **options):
    return DataConfig(root=str(folder), **{"seconds_per_batch": 8.0, "bucket_seconds": [1.0, 2.0, 4.0], **options})


def signature(batches):
    return [(batch.indices.tolist(), batch.weights.tolist(), batch.speeds.tolist(), batch.num_samples)
            for batch in batches]


@pytest.fixture
def durations():
    return np.random.default_rng(1).uniform(0.3, 4.0, 203)


def test_every_utterance_once_an_epoch_within_budget(tmp_path, durations):
    plan = BatchPlan([manifest(tmp_path, durations)], settings(tmp_path), HEADS, seed=3)
    for epoch in range(2):
        batches = plan.epoch(epoch)
        seen = Counter(index for batch in batches for index in batch.indices[batch.weights > 0])
        assert set(seen) == set(range(len(durations)))
        # Rows that fill the last batch of a bucket are the only repetitions: fewer than one batch a bucket.
        assert sum(seen.values()) - len(seen) < 8 + 4 + 2
        for batch in batches:
            assert len(batch.indices) * batch.num_samples <= 8.0 * 16000
            assert (plan.examples.seconds[batch.indices] * 16000 <= batch.num_samples + 1).all()
            assert len(set(batch.indices.tolist())) == len(batch.indices)
    assert {(len(batch.indices), batch.num_samples) for batch in batches} == {(8, 16000), (4, 32000), (2, 64000)}
    assert plan.batch_shapes() == [(8, 16000), (4, 32000), (2, 64000)]


def test_epochs_depend_on_seed_and_number_only(tmp_path, durations):
    source, config = manifest(tmp_path, durations), settings(tmp_path)
    first, second = BatchPlan([source], config, HEADS, seed=3), BatchPlan([source], config, HEADS, seed=3)
    first.epoch(0)
    first.epoch(1)
    assert signature(first.epoch(5)) == signature(second.epoch(5))
    assert signature(second.epoch(5)) != signature(second.epoch(6))
    assert signature(BatchPlan([source], config, HEADS, seed=4).epoch(5)) != signature(second.epoch(5))


def test_fractions_meet_everything_before_anything_again(tmp_path):
    source = manifest(tmp_path, np.full(30, 0.5))
    plan = BatchPlan([SourceConfig(source.manifest, repeat=0.25)], settings(tmp_path, seconds_per_batch=1.0), HEADS)
    epochs = [Counter(i for batch in plan.epoch(n) for i in batch.indices) for n in range(4)]
    assert sorted(sum(epoch.values()) for epoch in epochs) == [7, 7, 8, 8]
    assert set(sum(epochs, Counter()).values()) == {1}
    plan = BatchPlan([SourceConfig(source.manifest, repeat=2.5)], settings(tmp_path, seconds_per_batch=1.0), HEADS)
    counts = Counter(i for batch in plan.epoch(0) for i in batch.indices)
    assert sum(counts.values()) == 75 and set(counts.values()) == {2, 3}


@pytest.mark.parametrize("power, share", [(0.0, 0.9), (0.5, 0.75), (1.0, 0.5)])
def test_balancing_draws_classes_evenly(tmp_path, power, share):
    source = manifest(tmp_path, np.full(100, 0.5), keyword=lambda number: "yes" if number < 90 else "no")
    source.balance, source.balance_power = "keyword", power
    plan = BatchPlan([source], settings(tmp_path, seconds_per_batch=1.0), HEADS)
    drawn = np.concatenate([batch.indices for batch in plan.epoch(0)])
    assert len(drawn) == 100
    assert np.mean(drawn < 90) == pytest.approx(share, abs=0.011)


def test_speed_decides_the_bucket(tmp_path, durations):
    augment = AugmentConfig(speed=RangeConfig(0.8, 0.8, 1.25))
    plan = BatchPlan([manifest(tmp_path, durations)], settings(tmp_path, augment=augment), HEADS, sort_first_epoch=True)
    assert all((batch.speeds == 1).all() for batch in plan.epoch(0))
    batches = plan.epoch(1)
    speeds = np.concatenate([batch.speeds for batch in batches])
    assert 0.1 < np.mean(speeds == 1) < 0.3
    assert speeds.min() >= 0.8 and speeds.max() <= 1.25 and np.std(speeds) > 0.05
    for batch in batches:
        assert (plan.examples.seconds[batch.indices] / batch.speeds * 16000 <= batch.num_samples + 1).all()


def test_silence_decides_the_bucket(tmp_path, durations):
    augment = AugmentConfig(silence=RangeConfig(0.6, 0.5, 2.0))
    plan = BatchPlan([manifest(tmp_path, durations)], settings(tmp_path, augment=augment), HEADS)
    batches = plan.epoch(0)
    silences = np.concatenate([batch.silences for batch in batches])
    assert 0.5 < np.mean(silences > 0) < 0.7 and silences.max() <= 2.0
    for batch in batches:
        assert ((plan.examples.seconds[batch.indices] + batch.silences) * 16000 <= batch.num_samples + 1).all()
    assert all((batch.silences == 0).all() for batch in plan.sequential())
    with pytest.raises(ValueError, match="on silence: give an Augmenter"):
        plan.check_augmenter(0, None)


def test_parts_of_long_recordings_are_heard(tmp_path, durations):
    source, words = manifest(tmp_path, [*durations, 9.0]), {"keyword": HEADS["keyword"]}
    augment = AugmentConfig(speed=RangeConfig(0.8, 0.8, 1.25))
    config = settings(tmp_path, crop_seconds=1.5, bucket_seconds=[1.5], augment=augment)
    plan = BatchPlan([source], config, words)
    batches = plan.epoch(0)
    assert {index for batch in batches for index in batch.indices} == set(range(len(durations) + 1))
    places = []
    for batch in batches:
        assert batch.num_samples == 24000
        for whole, speed, (first, count) in zip(plan.examples.seconds[batch.indices], batch.speeds, batch.crops):
            if whole <= 1.5 * speed:
                assert first == 0 and count > whole * 16000
            else:  # as much as makes 1.5 s at this speed
                assert abs(count - 24000 * speed) <= 1 and 0 <= first <= whole * 16000 - count + 1
                places.append(first / (whole * 16000 - count))
    assert len(places) > 100 and np.mean(places) == pytest.approx(0.5, abs=0.1) and np.std(places) > 0.2
    assert signature(plan.epoch(1)) != signature(batches)
    assert min(batch.speeds.min() for batch in batches) < 0.85
    again = BatchPlan([source], config, words).epoch(0)
    assert all((one.crops == other.crops).all() for one, other in zip(batches, again, strict=True))
    whole = BatchPlan([source], config, words, training=False)
    assert len(whole.examples) == (durations <= 1.5).sum()  # the others are longer than the last bucket
    assert all((batch.crops[:, 0] == 0).all() and (batch.crops[:, 1] > 64000).all() for batch in whole.sequential())


def test_parts_without_what_is_said_in_them(tmp_path, durations):
    source = manifest(tmp_path, durations)
    with pytest.raises(ConfigError, match="head 'letters' learns what is said in a whole recording"):
        BatchPlan([source], settings(tmp_path, crop_seconds=1.0), HEADS)
    with pytest.raises(ConfigError, match="crop_seconds: 5 is longer than the last of data.bucket_seconds, 4"):
        BatchPlan([source], settings(tmp_path, crop_seconds=5.0), {"keyword": HEADS["keyword"]})


def test_first_epoch_runs_from_short_to_long(tmp_path, durations):
    plan = BatchPlan([manifest(tmp_path, durations)], settings(tmp_path), HEADS, sort_first_epoch=True)
    longest = [plan.examples.seconds[batch.indices[0]] for batch in plan.epoch(0)]
    assert longest == sorted(longest) and not plan.augmented(0) and plan.augmented(1)
    shuffled = [plan.examples.seconds[batch.indices[0]] for batch in plan.epoch(1)]
    assert shuffled != sorted(shuffled)


def test_sequential_covers_everything_exactly_once(tmp_path, durations):
    plan = BatchPlan([manifest(tmp_path, durations)], settings(tmp_path), HEADS, training=False)
    batches = plan.sequential()
    seen = np.concatenate([batch.indices[batch.weights > 0] for batch in batches])
    assert sorted(seen) == list(range(len(durations)))
    targets, weights = plan.targets(batches[-1])
    assert (weights["keyword"] <= batches[-1].weights).all()


def test_few_utterances_keep_the_shape_with_weight_zero(tmp_path):
    plan = BatchPlan([manifest(tmp_path, [0.5, 0.6, 0.7])], settings(tmp_path), HEADS)
    batch, = plan.epoch(0)
    assert len(batch.indices) == 8 and batch.weights.sum() == 3
    assert sorted(batch.indices[:3]) == [0, 1, 2]


def test_targets_and_weights(tmp_path):
    source = manifest(tmp_path, np.full(6, 0.5), keyword=lambda n: [None, "yes", "no"][n % 3],
                      transcript=lambda n: None if n < 2 else "abc"[:n - 1])
    plan = BatchPlan([source], settings(tmp_path), HEADS)
    batch, = plan.epoch(0)
    targets, weights = plan.targets(batch)
    assert targets["letters"].shape == (8, 8) and targets["letters"].dtype == np.int32
    for row in range(6):
        number = int(plan.ids(batch)[row].split("-")[1])
        assert weights["keyword"][row] == (number % 3 > 0) and targets["keyword"][row] == [0, 0, 1][number % 3]
        expected = list(range(1, number)) if number >= 2 else []
        assert targets["letters"][row].tolist() == expected[:3] + [0] * (8 - len(expected[:3]))
        assert weights["letters"][row] == (number >= 2)
    assert weights["keyword"][6:].sum() == 0


def test_only_the_labels_asked_for(tmp_path):
    source = manifest(tmp_path, [0.5, 0.5, 0.5], keyword=lambda n: "yes", transcript=lambda n: "a" if n else None)
    source.labels = ["transcript"]
    assert BatchPlan([source], settings(tmp_path), HEADS).report()["labels"] == {"keyword": 0, "letters": 2}
    source.default_labels = {"transcript": "ab", "keyword": "yes"}  # for the third, and not asked for
    assert BatchPlan([source], settings(tmp_path), HEADS).report()["labels"] == {"keyword": 0, "letters": 3}


def test_report_counts_what_is_left_out(tmp_path):
    source = manifest(tmp_path, [0.1, 0.5, 0.5, 0.5, 9.0], keyword=lambda n: "maybe" if n == 1 else "yes",
                      transcript=lambda n: {2: "aab", 3: "abc"}.get(n, "a"))
    # 0.5 s at 0.15 s a frame are three frames: "abc" fits, "aab" needs a fourth between its equal letters.
    plan = BatchPlan([source], settings(tmp_path), HEADS, frame_seconds=0.15)
    assert plan.report() == {
        "utterances": 3, "hours": 0.0, "labels": {"keyword": 2, "letters": 2},
        "left_out": {"shorter than 0.2 s": 1, "longer than 4 s": 1},
        "unused_labels": {"keyword": {"unknown keyword 'maybe'": 1}, "letters": {"more units than frames": 1}}}
    free = copy.copy(HEADS["letters"])
    free.frame_per_unit = False  # an attention decoder writes as much as it likes
    plan = BatchPlan([source], settings(tmp_path), {"letters": free}, frame_seconds=0.15)
    assert plan.report()["labels"] == {"letters": 3} and not plan.report()["unused_labels"]


def test_durations_come_from_the_header_when_missing(tmp_path):
    write_wav(tmp_path / "a.wav", tone(0.75))
    (tmp_path / "b.wav").write_bytes(b"no audio at all")
    write_manifest(tmp_path / "a.jsonl", [{"audio": "a.wav", "split": "train"}, {"audio": "b.wav", "split": "train"},
                                          {"audio": "a.wav", "id": "x", "split": "dev"}])
    plan = BatchPlan([SourceConfig("a.jsonl", split="train")], settings(tmp_path), HEADS)
    assert plan.examples.seconds.tolist() == [0.75]
    assert plan.report()["left_out"] == {"audio can't be read": 1}


def test_label_structures(tmp_path):
    class Slots(LabelIndex):
        target_shape = (2,)

        def encode(self, value):
            return np.array([self.names.index(value[slot]) for slot in ("a", "b")], np.int32)

    source = manifest(tmp_path, [0.5, 0.5], slots=lambda n: {"a": "x", "b": "xy"[n]})
    heads = {"slots": Slots("slots", ["x", "y"]), "letters": Letters("transcript")}
    plan = BatchPlan([source], settings(tmp_path), heads)
    batch, = plan.sequential()
    assert plan.targets(batch)[0]["slots"][:2].tolist() == [[0, 0], [0, 1]]


def test_sources_that_give_nothing_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match="nowhere.jsonl: no such manifest"):
        BatchPlan([SourceConfig("nowhere.jsonl")], settings(tmp_path), HEADS)
    manifest(tmp_path, [0.5])
    with pytest.raises(ConfigError, match="no usable utterance of split 'test'"):
        BatchPlan([SourceConfig("a.jsonl", split="test")], settings(tmp_path), HEADS)
