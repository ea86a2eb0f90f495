"""Runs on tones: from recordings to a model that has learnt words, with every method (docs/few_shot.md)."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from keras import ops

from benchmarks.quality.meta_learning import measure
from speechzoo import cli, load
from speechzoo.cli import meta as command
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.meta import MetaSettings, learn_words, meta_train
from speechzoo.meta import experiment as experiments
from speechzoo.meta import teaching as loop
from speechzoo.meta.building import build_method, make_head
from speechzoo.meta.episodes import EpisodeSampler
from speechzoo.meta.experiment import Experiment
from speechzoo.meta.features import compute_features
from speechzoo.meta.methods import METHODS
from speechzoo.meta.recordings import read_named
from speechzoo.meta.running import read_learnt
from speechzoo.meta.words import ways_of
from speechzoo.registry import save
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny
from tools.tables.plain import plain

WORDS = [f"pitch_{number}" for number in range(10)]
SMALL = {"episodes": 24, "ways": 2, "shots": 2, "queries": 2, "unknown": 2, "silence": 1, "test_episodes": 10,
         "hidden_size": 6}


@pytest.fixture(autouse=True)
def few_checks(monkeypatch):
    monkeypatch.setattr(experiments, "_CHECKS", 5)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A model, ten kinds of tones by six speakers, and frames that runs share."""
    folder = tmp_path_factory.mktemp("meta")
    save(build(tiny(heads=["gender"])), folder / "base")
    lines, random = [], np.random.default_rng(1)
    for number in range(120):
        word, speaker = number % 10, number // 10 % 6
        name = f"{number}.wav"
        write_wav(folder / name, tone(0.3, 200 * 1.35 ** word * random.uniform(0.95, 1.05), seed=number))
        lines.append({"id": name, "audio": name, "keyword": WORDS[word], "speaker": f"speaker_{speaker}"})
    (folder / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    mine = [line for line in lines if line["keyword"] in WORDS[2:4]]
    (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in mine))
    Experiment(settings(folder), folder / "features")
    return folder


def settings(folder, **options):
    return MetaSettings(str(folder / "base"), str(folder / "tones.jsonl"), **{**SMALL, **options})


def test_words_that_are_learnt_are_a_model_of_the_zoo(setting, tmp_path):
    chosen = settings(setting, episodes=4)
    shutil.copytree(setting / "features", tmp_path / "run" / "features")
    result = meta_train(chosen, tmp_path / "run")
    assert set(result.figures) == {"prototypical", "nearest_centroid", "logistic"}
    assert all(0 <= value <= 1 for figures in result.figures.values() for value in figures.values())
    start = load(result.model)
    assert list(start.heads) == ["gender", "few_shot"] and start.heads["few_shot"].classes == ["word_1", "word_2"]
    learn_words(tmp_path / "run", setting / "mine.jsonl", tmp_path / "mine")
    model, learnt = load(tmp_path / "mine"), read_learnt(tmp_path / "run")
    assert model.heads["few_shot"].classes == WORDS[2:4]
    assert float(model.heads["few_shot"].threshold) == pytest.approx(float(learnt["threshold"]), rel=1e-5)
    # What the model says is what the method says after learning from the same recordings.
    utterances = read_named(setting / "mine.jsonl", "keyword")
    inputs = compute_features(start, 2, utterances, None)[0].inputs(np.arange(len(utterances)))
    targets = np.array([WORDS[2:4].index(utterance["keyword"]) for utterance in utterances], np.int32)
    taught = build_method(chosen, start, 2, (learnt["mean"], learnt["deviation"]))
    expected = taught.scores([ops.convert_to_tensor(learnt[f"value_{number}"])
                              for number in range(len(taught.variables))],
                             {"support": inputs, "support_targets": targets, "query": inputs})
    answers = np.array([outputs["few_shot"] for outputs in model.batch_outputs(
        [read_utterance_audio(utterance, "") for utterance in utterances])])
    np.testing.assert_allclose(softmax(answers), softmax(np.asarray(expected) / learnt["temperature"]), atol=0.02)
    with pytest.raises(ValueError, match="run: holds another run .its shots differ.; choose another"):
        meta_train(dataclasses.replace(chosen, shots=1), tmp_path / "run")


@pytest.fixture(scope="module")
def experiment(setting):
    return Experiment(settings(setting), setting / "features")


@pytest.mark.parametrize("name", METHODS)
def test_a_head_has_the_answers_of_the_method(setting, experiment, name):
    """Of any method: what it has learnt from a support are weights of a head."""
    chosen = settings(setting, method=name)
    method = experiment.make(chosen)
    random = np.random.default_rng(1)
    values = [variable.value + 0.3 * random.standard_normal(variable.shape).astype(np.float32)
              for variable in method.variables]
    episode = experiment.testing.draw(1)
    task = experiment.task(method, episode)
    head = make_head(chosen, episode.names)
    inputs = experiment.features.inputs(episode.query)
    head.build(inputs["frames_2"].shape)
    learnt = method.learnt(values, task)
    places = {weight.path: weight for weight in head.weights}
    for path, value in learnt.items():
        places[path].assign(value)
    answers = np.asarray(head(inputs["frames_2"], inputs["frame_length"]))
    expected = np.asarray(method.scores(values, task))
    assert answers.shape == (7, 2) and np.ptp(expected) > 1e-4
    # Equal but for a number that all classes share. Pooled frames were float32 before they were pooled, stored ones are
    # float16.
    centred = [logits - logits.mean(axis=1, keepdims=True) for logits in (answers, expected)]
    np.testing.assert_allclose(*centred, atol=0.03 * np.ptp(centred[1]))


def softmax(logits):
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def test_a_run_goes_on_as_if_nothing_had_happened(setting, experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(loop, "Interruption", Asked)
    chosen, draw, lines = settings(setting), EpisodeSampler.draw, []
    whole, cut = (experiment.make(chosen) for _ in range(2))
    assert loop.teach(experiment, whole, chosen, tmp_path / "whole.npz", lines.append)
    assert lines[-1].startswith("episode 24 of 24: loss ")

    def stop(sampler, number):
        if number == 14:
            raise KeyboardInterrupt
        return draw(sampler, number)

    monkeypatch.setattr(EpisodeSampler, "draw", stop)
    with pytest.raises(KeyboardInterrupt):
        loop.teach(experiment, cut, chosen, tmp_path / "cut.npz")
    monkeypatch.setattr(EpisodeSampler, "draw", draw)
    cut = experiment.make(chosen)
    monkeypatch.setattr(Asked, "requested", True)
    assert not loop.teach(experiment, cut, chosen, tmp_path / "cut.npz")
    monkeypatch.setattr(Asked, "requested", False)
    assert loop.teach(experiment, cut, chosen, tmp_path / "cut.npz")
    for one, other in zip(whole.variables, cut.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    other = experiment.make(settings(setting, method="meta_sgd"))
    with pytest.raises(ValueError, match="cut.npz: the checkpoint of another method or model"):
        loop.teach(experiment, other, chosen, tmp_path / "cut.npz")


class Asked:
    """An `Interruption` that a test asks for."""

    requested = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def test_the_backbone_may_learn_too(setting, tmp_path):
    chosen = settings(setting, method="prototypical", train_backbone=True, test=str(setting / "mine.jsonl"), episodes=8,
                      unknown=0, silence=0, test_episodes=2, learning_rate=0.01)
    with pytest.raises(ValueError, match="mine.jsonl: all its classes or speakers are in .*tones.jsonl, too"):
        meta_train(chosen, tmp_path / "run")
    result = meta_train(dataclasses.replace(chosen, test=None), tmp_path / "other")
    assert set(result.figures) == {"prototypical"} and set(result.figures["prototypical"]) == {
        "accuracy", "accuracy_low", "accuracy_high"}
    learnt = learn_words(tmp_path / "other", setting / "mine.jsonl", tmp_path / "mine")
    before, after = (load(folder) for folder in (setting / "base", tmp_path / "mine"))
    assert list(after.heads) == ["few_shot"] and list(learnt.heads) == ["few_shot"]
    kernels = [next(weight for weight in model.trainable_weights if weight.path.startswith("backbone/"))
               for model in (before, after)]
    assert kernels[0].path == kernels[1].path and not np.allclose(*kernels)


def test_the_command(setting, tmp_path, capfd):
    shutil.copytree(setting / "features", tmp_path / "run" / "features")
    options = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    run(["meta", str(setting / "base"), "--manifest", str(setting / "tones.jsonl"), "--method", "logistic", *options,
         "--out", str(tmp_path / "run")])
    assert "logistic: " in capfd.readouterr().out
    card = (tmp_path / "run" / "model" / "card.md").read_text()
    assert "Episodes teach this method nothing" in card and "| nearest_centroid | " in card
    run(["meta", str(tmp_path / "run"), "--words", str(setting / "mine.jsonl"), "--out", str(tmp_path / "mine")])
    assert "head few_shot knows pitch_2, pitch_3" in capfd.readouterr().out
    run(["meta", str(tmp_path / "run"), "--words", str(setting / "mine.jsonl"), "--out", str(tmp_path / "x"), "--ways",
         "3"], 2)
    assert "--ways is for teaching, with --manifest" in capfd.readouterr().err
    run(["meta", str(tmp_path / "mine"), "--manifest", str(setting / "tones.jsonl"), "--out", str(tmp_path / "x")], 2)
    assert "has a head 'few_shot' already; give the new one another name (--head)" in capfd.readouterr().err
    run(["meta", str(setting / "base"), "--words", str(setting / "mine.jsonl"), "--out", str(tmp_path / "x")], 2)
    assert "no run of speechzoo meta" in capfd.readouterr().err


def run(words, code=0):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == code


def test_the_command_knows_all_methods():
    assert command.METHODS == tuple(METHODS)


@pytest.mark.parametrize("options, message", [
    ({"method": "protypical"}, "no method 'protypical'; did you mean 'prototypical'"),
    ({"episodes": 0}, "episodes must be 1 or more, got 0"),
    ({"inner_rate": 0.0, "method": "maml"}, "inner_rate must be above 0, got 0"),
    ({"steps": 2}, "method 'prototypical' has no inner steps"),
    ({"method": "logistic", "train_backbone": True}, "learns nothing from episodes, so that it can't train the backb"),
])
def test_settings_that_are_none(options, message):
    with pytest.raises(ValueError, match=message):
        MetaSettings("base", "manifest", **options)


def test_too_many_words_for_a_start(setting):
    with pytest.raises(ValueError, match="10 words, and the run was taught to learn 2 at a time; teach one with --ways"):
        ways_of(settings(setting, method="reptile"), WORDS)
    assert ways_of(settings(setting, method="reptile"), WORDS[:1]) == 2
    assert ways_of(settings(setting), WORDS) == 10


def test_the_benchmark_sets_methods_side_by_side(setting, tmp_path):
    shutil.copytree(setting / "features", tmp_path / "features")
    chosen = settings(setting, episodes=4)
    rows = measure(chosen, tmp_path, ["anil", "nearest_centroid"], lambda line: None)
    assert [(row["method"], row["block"]) for row in rows] == [("anil", 2), ("nearest_centroid", 1),
                                                               ("nearest_centroid", 2)]
    lines = plain("meta_learning", rows)
    assert len(lines) == 5 and lines[2].startswith("| `base` | anil | 2 | 2 | ") and lines[2].count("%") == 6
