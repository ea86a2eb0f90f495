"""Where the counts of classes come from, and heads that join later."""

import json

import pytest

from speechzoo.config import ConfigError, load_config
from speechzoo.data.manifest import read_manifest
from speechzoo.training import prepare
from speechzoo.training.batches import TrainingData
from speechzoo.training.prepare import prepare_run
from tests.training.tiny_corpus import SPEAKERS, make_corpus

SKEWED = "data.train=[{manifest: tones.jsonl, split: train}, {manifest: rare.jsonl}]"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The tones, of which 9 are low and 9 high, and a small source with two more high ones."""
    config = make_corpus(tmp_path_factory.mktemp("corpus"))
    lines = [{"id": f"rare_{number}", "audio": f"{number}.wav", "duration": 0.4, "keyword": "high"}
             for number in (1, 3)]
    (config.parent / "rare.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return config


def make_data(corpus, overrides):
    run = prepare_run(load_config(corpus, overrides))
    return run.model, run.data


def test_counts_come_from_the_manifests(corpus):
    model, data = make_data(corpus, [SKEWED, "heads.keyword.class_balance=0.9"])
    assert model.heads["keyword"].class_counts == {"low": 9, "high": 11}
    plain = load_config(corpus, [SKEWED])
    assert data.fingerprint() == TrainingData(plain, model).fingerprint()  # the loss is not the batches
    given = "heads.keyword.class_counts={low: 1, high: 2}"
    model, _ = make_data(corpus, [SKEWED, "heads.keyword.class_balance=0.9", given])
    assert model.heads["keyword"].class_counts == {"low": 1, "high": 2}
    prints = {make_data(corpus, [SKEWED, *changes])[1].fingerprint()
              for changes in ([], ["data.source_temperature=3"], ["data.last_source_temperature=3"],
                              ["data.last_source_temperature=3", "training.epochs=9"], ["training.epochs=9"],
                              ["heads.speaker.first_epoch=2"])}
    assert len(prints) == 5  # more epochs alone change no batch


def test_each_manifest_is_read_once(corpus, monkeypatch):
    """For the speakers, for training and for dev, of however many sources."""
    read = []
    monkeypatch.setattr(prepare, "read_manifest", lambda path: read.append(path.name) or read_manifest(path))
    run = prepare_run(load_config(corpus, [SKEWED]))
    assert sorted(read) == ["rare.jsonl", "tones.jsonl"] and run.labels == {"speaker": SPEAKERS}


def test_an_epoch_without_heads_is_an_error(corpus):
    with pytest.raises(ConfigError, match="epoch 1 has nothing to train on: no head has labels in it"):
        make_data(corpus, ["heads.keyword.first_epoch=2", "heads.speaker.first_epoch=3"])
