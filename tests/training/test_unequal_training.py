"""A run with everything for unequal tasks, on JAX without tf.data; and where its counts come from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training.batches import TrainingData, count_classes
from tests.training.tiny_corpus import SPEAKERS, make_corpus

UNEQUAL = ["heads.keyword.focal_gamma=1", "heads.keyword.class_balance=0.9", "heads.keyword.logit_adjustment=1",
           "heads.keyword.soft_bootstrap=0.05", "heads.keyword.hard_bootstrap=0.05", "heads.speaker.first_epoch=2",
           "data.source_temperature=2", "training.epochs=2", "training.sort_first_epoch=false"]
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
    config = load_config(corpus, overrides)
    model = build_model(config, speakers=SPEAKERS, training=True)
    data = TrainingData(config, model)
    count_classes(model, data.plan)
    return model, data


def test_counts_come_from_the_manifests(corpus):
    model, data = make_data(corpus, [SKEWED, "heads.keyword.class_balance=0.9"])
    assert model.heads["keyword"].class_counts == {"low": 9, "high": 11}
    plain = load_config(corpus, [SKEWED])
    assert data.fingerprint() == TrainingData(plain, model).fingerprint()  # the loss is not the batches
    given = "heads.keyword.class_counts={low: 1, high: 2}"
    model, _ = make_data(corpus, [SKEWED, "heads.keyword.class_balance=0.9", given])
    assert model.heads["keyword"].class_counts == {"low": 1, "high": 2}
    prints = {make_data(corpus, [SKEWED, *changes])[1].fingerprint()
              for changes in ([], ["data.source_temperature=3"], ["heads.speaker.first_epoch=2"])}
    assert len(prints) == 3


def test_an_epoch_without_heads_is_an_error(corpus):
    with pytest.raises(ConfigError, match="epoch 1 has nothing to train on: no head has labels in it"):
        make_data(corpus, ["heads.keyword.first_epoch=2", "heads.speaker.first_epoch=3"])


ON_JAX = """
import json, sys
from speechzoo.training import trainer
trainer.LOG_EVERY = 1
records = []
trainer.train(sys.argv[1], sys.argv[2], overrides=sys.argv[3:], on_record=records.append)
print(json.dumps(records))
"""


def test_a_whole_run_on_jax(corpus, tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "hidden" / "tensorflow").mkdir(parents=True)
    (tmp_path / "hidden" / "tensorflow" / "__init__.py").write_text("raise ImportError('there is no TensorFlow here')")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu",
                   "PYTHONPATH": os.pathsep.join([str(tmp_path / "hidden"), str(root)])}
    process = subprocess.run([sys.executable, "-c", ON_JAX, corpus, tmp_path / "run", SKEWED, *UNEQUAL], cwd=root,
                             env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    records = json.loads(process.stdout.splitlines()[-1])
    trained = [record for record in records if record["event"] == "train"]
    assert all("keyword/loss" in record for record in trained)
    assert not any("speaker/loss" in record for record in trained if record["epoch"] == 0)
    assert any("speaker/loss" in record for record in trained if record["epoch"] == 1)
