import subprocess
import sys

import numpy as np
import pytest

from speechzoo.config import AugmentConfig, DataConfig, RangeConfig, SourceConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.augment import Augmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.feed import make_feed
from speechzoo.data.manifest import write_manifest
from speechzoo.data.pipeline import make_dataset
from tests.data.batch_corpus import HEADS, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder)
    (folder / "wav/5.wav").unlink()
    write_manifest(folder / "noises.jsonl", [{"audio": "wav/1.wav"}, {"audio": "wav/3.wav"}])
    return folder


def make_plan(folder):
    augment = AugmentConfig(speed=RangeConfig(0.8, 0.85, 1.2), gain=RangeConfig(0.5, -10, 6),
                            noise=RangeConfig(0.5, 0, 20), noise_manifest="noises.jsonl",
                            reverberation=RangeConfig(0.5, 0.15, 0.3), shift=RangeConfig(0.5, -0.1, 0.1),
                            band_limit=RangeConfig(0.5, 3000, 7000))
    config = DataConfig(root=str(folder), seconds_per_batch=6.0, bucket_seconds=[1.0, 2.0], augment=augment)
    return BatchPlan([SourceConfig("train.jsonl")], config, HEADS, seed=5, sort_first_epoch=True)


@pytest.mark.parametrize("epoch, step", [(0, 0), (1, 0), (1, 2), (None, 0)])
def test_feed_equals_dataset(corpus, epoch, step):
    plan = make_plan(corpus)
    augmenter = Augmenter(plan.config.augment, plan.seed, corpus)
    reader = AudioReader(plan.examples)
    dataset = make_dataset(plan, epoch, step, augmenter).as_numpy_iterator()
    count = 0
    feed = make_feed(plan, epoch, step, augmenter, reader)
    for (inputs, targets, weights), expected in zip(feed, dataset, strict=True):
        count += 1
        np.testing.assert_allclose(inputs["audio"], expected[0]["audio"], atol=1e-4)
        np.testing.assert_array_equal(inputs["audio_length"], expected[0]["audio_length"])
        for head in HEADS:
            np.testing.assert_array_equal(targets[head], expected[1][head])
            np.testing.assert_array_equal(weights[head], expected[2][head])
    batches = plan.sequential() if epoch is None else plan.epoch(epoch)
    assert count == len(batches) - step > 0
    assert set(reader.failures) <= {"u5"} and ("u5" in reader.failures or step)


def test_parts_of_recordings(corpus):
    config = DataConfig(root=str(corpus), seconds_per_batch=6.0, bucket_seconds=[1.0, 2.0], crop_seconds=0.5)
    plan = BatchPlan([SourceConfig("train.jsonl")], config, {"keyword": HEADS["keyword"]}, seed=5)
    reader, cropped = AudioReader(plan.examples), 0
    batches = zip(plan.epoch(1), make_feed(plan, 1), make_dataset(plan, 1), strict=True)
    for batch, (inputs, _, _), (in_graph, _, _) in batches:
        np.testing.assert_array_equal(inputs["audio"], in_graph["audio"])
        np.testing.assert_array_equal(inputs["audio_length"], in_graph["audio_length"])
        assert inputs["audio"].shape == (6, 16000)
        for row, index in enumerate(batch.indices):
            whole, first = reader.read(index), batch.crops[row, 0]
            heard = inputs["audio"][row, :inputs["audio_length"][row]]
            np.testing.assert_array_equal(heard, whole[first:first + 8000])
            cropped += len(heard) < len(whole)
    assert cropped > 5


def test_augmented_epochs_differ_and_repeat(corpus):
    plan = make_plan(corpus)
    augmenter = Augmenter(plan.config.augment, plan.seed, corpus)
    first, again = (next(make_feed(plan, 1, 0, augmenter))[0]["audio"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    inputs, _, _ = next(make_feed(plan, 0, 0, augmenter))
    row = inputs["audio"][0, :inputs["audio_length"][0]]
    np.testing.assert_array_equal(row, AudioReader(plan.examples).read(plan.epoch(0)[0].indices[0]))


def test_a_plan_with_speed_needs_an_augmenter(corpus):
    plan = make_plan(corpus)
    make_feed(plan, 0)
    for make in (make_feed, make_dataset):
        with pytest.raises(ValueError, match="give an Augmenter"):
            make(plan, 1)


def test_feed_imports_no_tensorflow():
    code = "import sys, speechzoo.data.feed; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
