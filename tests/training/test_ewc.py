"""EWC holds what mattered, by gradients of single recordings."""

import json

import keras
import numpy as np
import pytest

from speechzoo import load, registry
from speechzoo.audio import load_audio
from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training.penalties.ewc import fisher_information
from speechzoo.training.prepare import prepare_run
from tests.training.tiny_corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    config = make_corpus(folder)
    keras.utils.set_random_seed(4)
    registry.save(build_model(load_config(config)), folder / "known")
    return config


def test_information_is_the_mean_of_squared_gradients(corpus):
    """Of a head's last bias the gradient is known: probabilities minus the label."""
    model, folder = load(corpus.parent / "known"), corpus.parent
    found = fisher_information(model, folder / "tones.jsonl", "dev", 3)
    lines = [json.loads(line) for line in (folder / "tones.jsonl").read_text().splitlines()]
    lines = [lines[number] for number in (18, 20, 23)]
    outputs = [output["keyword"] for output in model.batch_outputs([
        load_audio(folder / line["audio"]) for line in lines])]
    expected = np.zeros(2)
    for line, logits in zip(lines, outputs):
        probabilities = np.exp(logits) / np.exp(logits).sum()
        expected += (probabilities - np.float32([line["keyword"] == name for name in ("low", "high")])) ** 2 / 3
    np.testing.assert_allclose(found["keyword/logits/bias"], expected, rtol=1e-3)
    assert not found["speaker/embedding/kernel"].any()  # it doesn't know who can speak


def test_it_pulls_by_information(corpus):
    folder = corpus.parent
    part = {"type": "ewc", "model": str(folder / "known"), "manifest": str(folder / "tones.jsonl"), "utterances": 4,
            "strength": 3.0}
    run = prepare_run(load_config(corpus, [f"training.penalties=[{json.dumps(part)}]"]),
                      folder / "known" / "model.weights.h5")
    penalty, = run.model.penalties
    assert float(penalty.call(run.model, None, None)) == 0
    expected = 0.0
    for weight in run.model.trainable_variables:
        if weight.path in penalty.starts:
            weight.assign_add(np.full(weight.shape, 0.1))
            expected += 0.5 * 3.0 * 0.01 * np.array(penalty.information[weight.path]).sum()
    assert expected > 1e-4
    assert float(penalty.call(run.model, None, None)) == pytest.approx(expected, rel=1e-4)
    assert "speaker/prototypes" not in penalty.starts


@pytest.mark.parametrize("change, message", [
    ({"model": "gone"}, "'ewc': gone: no such weights file"), ({"utterances": 0}, "utterances 0 1 or more"),
    ({"manifest": "gone.jsonl"}, "gone.jsonl: no such manifest")])
def test_what_can_not_be_measured(corpus, change, message):
    part = {"type": "ewc", "model": str(corpus.parent / "known"), "manifest": "tones.jsonl", **change}
    with pytest.raises(ConfigError, match=message):
        prepare_run(load_config(corpus, [f"training.penalties=[{json.dumps(part)}]"]))
