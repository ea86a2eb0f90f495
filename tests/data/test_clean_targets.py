"""Targets that are waveforms: what the model hears, and the same without what was added."""

import numpy as np
import pytest

from speechzoo.config import AugmentConfig, ConfigError, DataConfig, RangeConfig, SourceConfig
from speechzoo.data.augment import Augmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.feed import make_feed
from speechzoo.data.manifest import write_manifest
from speechzoo.data.pipeline import make_dataset
from tests.data.batch_corpus import HEADS, Clean, make_corpus
from tests.helpers import tone, write_wav

AUGMENT = AugmentConfig(noise=RangeConfig(0.8, -5, 5), noise_manifest="noises.jsonl", gain=RangeConfig(1.0, -20, -10),
                        reverberation=RangeConfig(0.5, 0.15, 0.3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, 12)
    hiss = np.random.default_rng(0).uniform(-0.5, 0.5, 20000).astype(np.float32)
    for name, audio in (("hiss", hiss), ("hum", tone(1.0, 50))):
        write_wav(folder / f"{name}.wav", audio)
    write_manifest(folder / "noises.jsonl", [{"audio": "hiss.wav"}, {"audio": "hum.wav", "split": "dev"}])
    return folder


def make_plan(folder, **config):
    config = DataConfig(root=str(folder), seconds_per_batch=6.0, bucket_seconds=[2.0], augment=AUGMENT, **config)
    return BatchPlan([SourceConfig("train.jsonl")], config, {"clean": Clean(), "keyword": HEADS["keyword"]}, seed=5)


@pytest.mark.parametrize("crop", [0.0, 0.5])
def test_clean_and_noisy_in_training(folder, crop):
    plan = make_plan(folder, crop_seconds=crop)
    augmenter = Augmenter(AUGMENT, plan.seed, folder)
    rows = noisy_rows = 0
    for (inputs, targets, weights), in_graph in zip(make_feed(plan, 1, 0, augmenter), make_dataset(
            plan, 1, 0, augmenter).as_numpy_iterator(), strict=True):
        assert targets["clean"].shape == (len(inputs["audio"]), 2, inputs["audio"].shape[1])
        np.testing.assert_allclose(targets["clean"], in_graph[1]["clean"], atol=1e-4)
        np.testing.assert_array_equal(weights["clean"], in_graph[2]["clean"])
        np.testing.assert_array_equal(weights["clean"], weights["keyword"])
        clean, noisy = targets["clean"].transpose(1, 0, 2)
        np.testing.assert_array_equal(noisy, inputs["audio"])
        rows, noisy_rows = rows + len(clean), noisy_rows + np.sum(np.abs(noisy - clean).max(axis=1) > 1e-3)
        assert 0 < np.abs(clean).max() < 0.2  # levels change alike
        for row, length in zip(targets["clean"], inputs["audio_length"]):
            assert not row[:, length:].any()
    assert 0.5 * rows < noisy_rows < rows


def test_the_noise_of_dev_recordings(folder):
    """Noises of dev alone, in every recording, the same each time, and nothing else that changes it."""
    plan = make_plan(folder)
    augmenter = Augmenter(AUGMENT, plan.seed, folder, dev=True)
    assert len(augmenter.noises) == 16000  # the hum
    first, again = (list(make_feed(plan, None, 0, augmenter)) for _ in range(2))
    plain = list(make_feed(plan, None))
    for (inputs, targets, _), (repeated, _, _), (recorded, without, _), in_graph in zip(
            first, again, plain, make_dataset(plan, None, 0, augmenter).as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(inputs["audio"], repeated["audio"])
        np.testing.assert_allclose(inputs["audio"], in_graph[0]["audio"], atol=1e-4)
        np.testing.assert_array_equal(targets["clean"][:, 0], recorded["audio"])
        np.testing.assert_array_equal(without["clean"][:, 0], without["clean"][:, 1])
        assert np.all(np.abs(inputs["audio"] - recorded["audio"]).max(axis=1) > 1e-3)


def test_dev_needs_a_noise_of_its_own(folder):
    write_manifest(folder / "training_only.jsonl", [{"audio": "hiss.wav"}])
    with pytest.raises(ConfigError, match="no noise of split 'dev' can be read.*--hold-out"):
        Augmenter(AugmentConfig(noise=RangeConfig(0.5, 0, 5), noise_manifest="training_only.jsonl"), 1, folder, dev=True)
