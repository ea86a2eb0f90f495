"""A manifest straight into `fit`, `evaluate` and `predict`, as the README shows it."""

import json

import keras
import numpy as np
import pytest

from speechzoo.config import AugmentConfig, ConfigError, RangeConfig
from speechzoo.data.pipeline import dataset_from_manifest
from speechzoo.registry import load
from tests.training.tiny_corpus import make_corpus


def test_a_model_learns_from_a_manifest(tmp_path):
    keras.utils.set_random_seed(1)
    model = load(make_corpus(tmp_path), weights=None)
    model.compile(keras.optimizers.Adam(0.01))
    manifest = tmp_path / "tones.jsonl"
    gain = AugmentConfig(gain=RangeConfig(0.5, -6, 6))
    training = dataset_from_manifest(model, manifest, split="train", seconds_per_batch=3.0, augment=gain)
    orders = [np.concatenate([inputs["audio_length"] for inputs, _, _ in training]) for _ in range(2)]
    assert sorted(orders[0]) == sorted(orders[1]) and list(orders[0]) != list(orders[1])
    history = model.fit(training, epochs=15, verbose=0).history
    assert history["keyword_loss"][-1] < 0.5 * history["keyword_loss"][0]

    dev = dataset_from_manifest(model, manifest, training=False, split="dev", seconds_per_batch=1.5)
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    durations = sorted(line["duration"] for line in lines if line["split"] == "dev")
    batches = list(dev)
    assert int(dev.cardinality()) == len(batches) > 1
    lengths = np.concatenate([inputs["audio_length"] for inputs, _, _ in batches])
    np.testing.assert_array_equal(lengths, np.rint(np.array(durations) * 16000))
    everything = dataset_from_manifest(model, manifest, training=False)
    assert model.evaluate(everything, return_dict=True, verbose=0)["keyword_accuracy"] > 0.8
    assert model.predict(dev, verbose=0)["keyword"].shape == (len(durations), 2)
    with pytest.raises(ConfigError, match="split"):
        dataset_from_manifest(model, manifest, split="test")
