"""An enhancer learns from mixtures that the augmentation makes, and streams what it has learnt."""

import json

import numpy as np
import pytest

from speechzoo.config import ConfigError, load_config
from speechzoo.enhancement import Enhancer
from speechzoo.metrics.enhancement import si_sdr
from speechzoo.registry import load
from speechzoo.training.run_log import read_log
from speechzoo.training.trainer import train
from tests.helpers import tone, write_wav

CONFIG = """
summary: Takes hiss from tones.
frontend: {type: log_mel, num_mel_bins: 24, causal: true, hop_seconds: 0.016, window_seconds: 0.032, transform: fft}
backbone: {type: grouped_gru, causal: true, size: 16, num_blocks: 1, groups: 2, channels: 4}
heads:
  enhancement: {type: enhancement, bands: 24}
data:
  train: [{manifest: tones.jsonl, split: train, default_labels: {enhancement: clean}}]
  dev: [{manifest: tones.jsonl, split: dev, default_labels: {enhancement: clean}}]
  seconds_per_batch: 4.0
  bucket_seconds: [0.5]
  augment: {noise: {probability: 1.0, minimum: 0, maximum: 5}, noise_manifest: noises.jsonl}
training: {epochs: 30, learning_rate: 0.03, warmup_steps: 3, evaluate_every: 900, checkpoint_every: 900, sort_first_epoch: false,
           early_stop_metric: enhancement/si_sdr_gain}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """18 tones around 400 Hz, and hiss of which a second is dev's."""
    folder = tmp_path_factory.mktemp("tones")
    lines = []
    for number in range(18):
        write_wav(folder / f"{number}.wav", tone(0.5, 350 + 6 * number))
        lines.append({"id": f"tone_{number}", "audio": f"{number}.wav", "duration": 0.5,
                      "split": "dev" if number % 6 == 5 else "train"})
    (folder / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("train", "dev"):
        write_wav(folder / f"{name}.wav", np.random.default_rng(len(name)).uniform(-0.3, 0.3, 16000).astype(np.float32))
    (folder / "noises.jsonl").write_text("".join(
        json.dumps({"id": name, "audio": f"{name}.wav", "duration": 1.0, "split": name}) + "\n" for name in ("train", "dev")))
    (folder / "hiss.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    result = train(folder / "hiss.yaml", folder / "run")
    assert result.ended == "finished"
    return result


@pytest.fixture(scope="module")
def model(run):
    return load(str(run.output))


def test_it_learns_to_take_noise_out(run, model):
    """Hiss lies in all bands and the tone in one: some dB are to be gained, by an independent measure too."""
    dev = [record for record in read_log(run.output / "log.jsonl") if record["event"] == "dev"][-1]
    assert dev["enhancement/si_sdr_gain"] > 5 and dev["enhancement/si_sdr"] > dev["enhancement/si_sdr_gain"]
    assert run.best == dev["enhancement/si_sdr_gain"]
    clean = tone(1.0, 420)
    noisy = clean + 0.1 * np.random.default_rng(5).standard_normal(16000).astype(np.float32)
    assert si_sdr(clean, Enhancer(model).enhance(noisy)) > si_sdr(clean, noisy) + 5


def test_streamed_it_gives_the_same(model):
    enhancer = Enhancer(model)
    noisy = tone(0.3, 420, seed=1)
    stream = enhancer.stream()
    parts = [stream.feed(part) for part in np.split(noisy, [100, 2000, 2001])] + [stream.finish()]
    np.testing.assert_allclose(np.concatenate(parts), enhancer.enhance(noisy), atol=1e-5)


def test_a_recognition_has_nothing_of_it(model):
    recognition = model.recognize(tone(0.3, 420))
    assert recognition.labels == {} and recognition.confidence == {}


def test_features_that_are_kept_have_no_audio_to_learn_from(folder):
    config = load_config(folder / "hiss.yaml", ["training.cache_features=true", "training.freeze=[frontend/*, backbone/*]",
                                                "data.augment={}"])
    with pytest.raises(ConfigError, match="head 'enhancement' learns from the audio"):
        train(config, folder / "kept")
