"""speechzoo relate on a corpus of tones: a real model measured, printed, plotted; and the probe by itself."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo import cli
from speechzoo.config import load_config
from speechzoo.multitask.build import build_model
from speechzoo.training.probe import Probe
from speechzoo.training.relate_tasks import relate, represent
from tests.helpers import tone
from tests.training.tiny_corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["relate", *map(str, arguments)])
    return ended.value.code


@pytest.fixture
def eager():
    """For a few steps of several models making the graphs would take longest; the probe's tests have them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
def test_the_command(corpus, tmp_path, capsys, eager):
    # Heads are related in one network, however the config shares.
    assert run(corpus, "data.seconds_per_batch=4", "sharing=soft", "--steps", 3, "--measure-every", 2, "--alone-steps", 1, "--out",
               tmp_path / "new" / "folder") == 0
    output = capsys.readouterr().out
    assert all(text in output for text in ("affinity", "cosine of gradients", "CKA", "network 1: ", "parameters"))
    folder = tmp_path / "new" / "folder"
    result = json.loads((folder / "relatedness.json").read_text())
    assert result["heads"] == ["keyword", "speaker"]
    assert [record["step"] for record in result["history"]] == [2, 3]
    for name in ("affinity", "cosine", "similarity"):
        assert np.isfinite(np.array(result[name], float)).all(), name
    mean = np.mean([record["affinity"] for record in result["history"]], axis=0)
    np.testing.assert_allclose(mean, result["affinity"])
    np.testing.assert_allclose(np.diag(result["cosine"]), 1, rtol=1e-6)
    np.testing.assert_allclose(np.diag(result["similarity"]), 1, rtol=1e-6)
    assert result["cosine"][0][1] == pytest.approx(result["cosine"][1][0]) and abs(result["cosine"][0][1]) < 1
    grouping, heads = result["grouping"], sum(result["head_sizes"].values())
    assert grouping["parameters"] == len(grouping["groups"]) * result["shared_size"] + heads
    for name in ("relatedness.png", "gradient_cosine.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG") and name in output


@pytest.mark.parametrize("arguments, message", [
    (["--steps", "0"], "relate needs steps and measure_every of 1 or more"),
    (["heads.speaker=null"], "heads.speaker: expected a mapping"),
    (["--budget", "10"], "parameters already, more than the 10 asked for; raise the budget"),
    (["data.train=[{manifest: no.jsonl}]"], "no.jsonl: no such manifest")])
def test_errors_are_one_line(corpus, tmp_path, capsys, arguments, message):
    assert run(corpus, *arguments, "--out", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("speechzoo: error: ") and message in error and error.count("\n") == 1


def test_one_head_alone_is_related_to_nothing(corpus):
    config = load_config(corpus)
    del config.heads["speaker"]
    with pytest.raises(ValueError, match="model 'tiny' has one head only, 'keyword'"):
        relate(config, steps=1)


@pytest.fixture(scope="module")
def model(corpus):
    """Three heads, the third of which hears block 1 of two alone."""
    keras.utils.set_random_seed(1)
    heads = {"keyword": {"type": "classifier", "classes": ["low", "high"]},
             "gender": {"type": "classifier", "classes": ["female", "male"], "loss_weight": 0.5},
             "event": {"type": "classifier", "classes": ["rain", "wind"], "block": 1}}
    config = load_config(corpus, [f"heads={json.dumps(heads)}", "backbone.num_blocks=2", "backbone.dropout=0.3"])
    model = build_model(config, training=True)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def probe(model):
    return Probe(model, 1e-3)


def make_batch(names, seed):
    audio = np.stack([tone(0.4, 200.0 + 150 * row, seed=seed + row) for row in range(4)])
    inputs = {"audio": tf.constant(audio), "audio_length": tf.fill([4], audio.shape[1])}
    weights = {name: tf.fill([4], float(name in names)) for name in ("keyword", "gender", "event")}
    return inputs, {name: tf.constant([0, 1, 1, 0]) for name in weights}, weights


def test_the_probe_changes_nothing_and_sees_what_a_step_does(model, probe):
    """Small steps change losses as the gradients say, in sign and in proportion to the step."""
    before = [np.array(variable) for variable in model.variables]
    affinity, cosine = probe.measure([make_batch(["keyword", "gender", "event"], 0)])
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(np.array(variable), value, err_msg=variable.path)
    again, _ = probe.measure([make_batch(["keyword", "gender", "event"], 0)])
    np.testing.assert_allclose(again, affinity, atol=1e-6)  # the same dropout each time
    assert (np.diag(affinity) > 0).all()
    # To first order affinity[i, j] is rate x factor_i x <g_i, g_j> / loss_j: its sign is the cosine's.
    clear = np.abs(cosine) > 0.2
    assert (np.sign(affinity[clear]) == np.sign(cosine[clear])).all()
    probe.rate *= 2
    doubled, _ = probe.measure([make_batch(["keyword", "gender", "event"], 0)])
    np.testing.assert_allclose(np.diag(doubled), 2 * np.diag(affinity), rtol=0.2)


def test_heads_with_labels_in_different_batches(probe):
    first, second = make_batch(["keyword"], 0), make_batch(["gender"], 8)
    affinity, cosine = probe.measure([first, second])
    assert np.isfinite(affinity[:2, :2]).all() and np.isfinite(cosine[:2, :2]).all()
    assert np.isnan(affinity[2]).all() and np.isnan(cosine[:, 2]).all()  # `event` has no labels


def test_representations_ignore_padding(model):
    inputs, *_ = make_batch([], 0)
    padded = {"audio": tf.pad(inputs["audio"], [[0, 0], [0, 5000]]), "audio_length": inputs["audio_length"]}
    views, longer = represent(model, [(inputs,), (inputs,)]), represent(model, [(padded,), (padded,)])
    assert [view.shape for view in views] == [(8, 8), (8, 8)]
    for one, two in zip(views, longer):
        np.testing.assert_allclose(one, two, atol=1e-5)
