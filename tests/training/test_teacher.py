"""Distillation: what the teacher says of the clean recordings is what the student hears in noise."""

import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest

from speechzoo import load, registry
from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training import frame_store, trainer
from speechzoo.training.penalties.teacher import _pool_mean, _pool_peaks, align_frames
from speechzoo.training.prepare import prepare_run
from speechzoo.weights import read_arrays, write_arrays
from tests.helpers import tone, write_wav

STUDENT = """
summary: A student of tones.
frontend: {type: log_mel, num_mel_bins: 12, hop_seconds: 0.02, window_seconds: 0.02}
backbone: {type: ds_cnn, channels: 6, num_blocks: 2}
heads:
  keyword: {type: classifier, classes: [low, high], dropout: 0}
  room: {type: slots, dropout: 0, slots: {size: [large, small], place: [hall]}}
  transcript: {type: ctc, units: [a, b, " "], dropout: 0}
  speech: {type: frame_classifier, classes: [none, speech], dropout: 0}
  speaker: {type: speaker, embedding_size: 5}
data:
  train: [{manifest: tones.jsonl, split: train}]
  seconds_per_batch: 3.0
  bucket_seconds: [0.6, 0.9]
  augment:
    noise: {probability: 0.5, minimum: 10, maximum: 20}
    noise_manifest: noise.jsonl
    silence: {probability: 0.5, minimum: 0.1, maximum: 0.2}
training: {epochs: 1, learning_rate: 0.01, warmup_steps: 2, evaluate_every: 100, sort_first_epoch: false}
"""
CHANGES = {"hop_seconds: 0.02": "hop_seconds: 0.01", "channels: 6": "channels: 8", "[low, high]": "[high, low]",
           '[a, b, " "]': '[" ", b, a]', "embedding_size: 5": "embedding_size: 7"}
FEATURES = {1: 2, 2: 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tones of which a third has labels, noise, a student's config, and a teacher with random weights."""
    folder, lines = tmp_path_factory.mktemp("corpus"), []
    for number in range(15):
        seconds = 0.4 + 0.03 * (number % 7)
        write_wav(folder / f"{number}.wav", tone(seconds, (300, 900)[number % 2] + 10 * number, seed=number))
        labels = {"keyword": ("low", "high")[number % 2], "speaker": f"s{number % 2}"} if number % 3 == 0 else {}
        lines.append({"audio": f"{number}.wav", "duration": seconds, "split": "dev" if number > 12 else "train",
                      "truth": ("low", "high")[number % 2], **labels})
    write_wav(folder / "noise.wav", 0.1 * np.random.default_rng(1).standard_normal(16000).astype(np.float32))
    (folder / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "noise.jsonl").write_text(json.dumps({"audio": "noise.wav", "duration": 1.0}) + "\n")
    (folder / "student.yaml").write_text(STUDENT)
    text = STUDENT
    for old, new in CHANGES.items():
        text = text.replace(old, new)
    (folder / "larger.yaml").write_text(text)
    for seed, name in ((8, "teacher"), (9, "other")):
        keras.utils.set_random_seed(seed)
        model = build_model(load_config(folder / "larger.yaml"))
        for weight in model.weights:  # so that it is sure of what it says
            if "logits" in weight.path:
                weight.assign(10 * weight.numpy())
        registry.save(model, folder / name)
    return folder


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(frame_store, "SHARD_BYTES", 30_000)
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)


def taught(teacher, **options):
    """Overrides that add a teacher."""
    return [f"training.penalties=[{json.dumps({'type': 'teacher', 'model': str(teacher), **options})}]"]


def prepared(corpus, output, **options):
    """A run with a teacher, and its first batch."""
    run = prepare_run(load_config(corpus / "student.yaml", taught(corpus / "teacher", **options)))
    store = run.data.add_inputs(run.model.penalties[0], output)
    for _ in store.fill():
        pass
    return run, store, next(iter(run.data.training_batches(0, 0)))


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def divergence(one, other):
    return np.sum(one * (np.log(np.maximum(one, 1e-8)) - np.log(other)), -1)


# -- frames ------------------------------------------------------------------------------------------------------------

def align_slowly(values, count, length, frames, ratio, peaks):
    """One recording: the teacher's frames by the middles that lie in each of the student's."""
    aligned, valid = [], []
    for number in range(frames):
        inside = [index for index in range(count) if number <= (index + 0.5) / ratio + 1e-9 < number + 1]
        if ratio <= 1:
            inside = [index for index in [int((number + 0.5) * ratio)] if index < count]
        chosen = values[inside]
        valid.append(bool(inside) and number < length)
        if not inside:
            aligned.append(np.zeros(values.shape[-1]))
        elif peaks:
            both = np.array([chosen[:, 0].min(), *chosen[:, 1:].max(0)])
            aligned.append(both / both.sum())
        else:
            aligned.append(chosen.mean(0))
    return np.array(aligned), np.array(valid)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.6, 2.0, 3.0])
@pytest.mark.parametrize("pool", [_pool_mean, _pool_peaks])
def test_frames_of_another_length(ratio, pool):
    values = softmax(3 * np.random.default_rng(0).standard_normal((2, 12, 4))).astype(np.float32)
    counts, lengths, frames = np.int32([12, 7]), np.int32([int(12 / ratio), 3]), int(np.ceil(12 / ratio)) + 2
    found, valid = (np.array(array) for array in align_frames(values, counts, lengths, frames, ratio, pool))
    for row in range(2):
        expected, there = align_slowly(values[row], counts[row], lengths[row], frames, ratio, pool is _pool_peaks)
        np.testing.assert_array_equal(valid[row] > 0, there)
        np.testing.assert_allclose(found[row][there], expected[there], atol=1e-6)


def test_a_peak_stays_a_peak():
    values = np.float32([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]])
    found, _ = align_frames(values, np.int32([4]), np.int32([2]), 2, 2.0, _pool_peaks)
    np.testing.assert_allclose(found, [[[0, 1, 0], [0, 0, 1]]])


# -- the loss ----------------------------------------------------------------------------------------------------------

def test_the_loss_is_its_formula(folder, tmp_path):
    """Every kind of output, from the teacher's plain answers for the clean audio of the batch."""
    factors = {"room": 0.5, "speaker": 2.0, "features": 0.25}
    run, _, (inputs, targets, weights) = prepared(folder, tmp_path, features=FEATURES, loss_weights=factors,
                                                  heads=["keyword", "room", "transcript", "speech", "speaker"])
    penalty, = run.model.penalties
    outputs = run.model(inputs, training=False)
    found = float(penalty.call(run.model, inputs, outputs))
    teacher, student = load(folder / "teacher"), {name: np.array(value) for name, value in outputs.items()}
    batch, total, rows = run.data.plan.epoch(0)[0], 0.0, 0
    for row, (index, weight) in enumerate(zip(batch.indices, batch.weights)):
        if not weight:
            continue
        rows += 1
        clean = run.data._reader.read(index)[None]
        said = {name: np.array(value)[0] for name, value in teacher(clean, training=False).items()}
        blocks, _ = teacher.features(clean)
        own = {name: value[row] for name, value in student.items()}
        frames = int(own["frame_length"])
        order = [1, 0]  # of keyword
        total += 4 * divergence(softmax(said["keyword"][order] / 2), softmax(own["keyword"] / 2))
        for part in (slice(0, 3), slice(3, 5)):
            total += 0.5 * 4 * divergence(softmax(said["room"][part] / 2), softmax(own["room"][part] / 2))
        kernel, bias = (np.array(value) for value in penalty.maps["speaker"])
        mapped = own["speaker"] @ kernel + bias
        total += 2 * (1 - mapped @ said["speaker"] / np.linalg.norm(mapped) / np.linalg.norm(said["speaker"]))
        for name, peaks, order in (("transcript", True, [0, 3, 2, 1]), ("speech", False, [0, 1])):
            told, valid = align_slowly(softmax(said[name])[:, order], len(said[name]), frames, frames, 2.0, peaks)
            values = divergence(told, softmax(own[name][:frames]))[valid]
            total += values.sum() if peaks else values.mean()
        for mine, its in FEATURES.items():
            block = np.array(blocks[its - 1])[0]
            block = (block - block.mean(-1, keepdims=True)) / np.sqrt(block.var(-1, keepdims=True) + 1e-5)
            told, valid = align_slowly(block, len(block), frames, frames, 2.0, False)
            name = f"teacher_block_{mine}"
            kernel, bias = (np.array(value) for value in penalty.maps[name])
            total += 0.25 * np.square(own[name][:frames] @ kernel + bias - told).mean(-1)[valid].mean()
    assert rows > 2 and found == pytest.approx(total / rows, rel=2e-3)
    assert set(np.unique(inputs["teacher/weight"])) <= {0.0, 1.0}
    # The heads learn from labels as ever: the rest of the loss is theirs.
    assert not np.array(weights["transcript"]).any() and run.model.head_losses.keys() == run.model.heads.keys()


def test_recordings_without_labels_teach(folder, tmp_path):
    run, store, _ = prepared(folder, tmp_path, heads=["keyword"])
    assert len(run.data.plan.examples) == 13 == store.report()["kept"]
    plain = prepare_run(load_config(folder / "student.yaml"))
    assert len(plain.data.plan.examples) == 5


def test_the_files_are_used_again_and_shared(folder, tmp_path):
    shared = {"heads": {"keyword": "keyword"}, "folder": str(tmp_path / "shared")}
    _, first, batch = prepared(folder, tmp_path, **shared)
    assert (first.reused, first.kept) == (0, 13)
    _, again, other = prepared(folder, tmp_path / "elsewhere", **shared)
    assert (again.reused, again.kept) == (13, 13)
    _, small, third = prepared(folder, tmp_path, heads=["keyword"], cache_gigabytes=0)
    assert (small.kept, small.left_out) == (0, 13)
    for inputs in (other[0], third[0]):
        np.testing.assert_array_equal(inputs["teacher/keyword"], batch[0]["teacher/keyword"])
    # Log probabilities of two classes, float16, and what one file says of itself.
    assert first.size < 13 * (4 + 64) + 1024


def test_all_that_fit_when_none_are_named(folder, tmp_path):
    """Not a head whose labels differ, nor one that the teacher's weights don't have."""
    overrides = ["heads.keyword.options.classes=[low, high, middle]"]
    run = prepare_run(load_config(folder / "student.yaml", [*taught(folder / "teacher"), *overrides]))
    assert list(run.model.penalties[0].taught) == ["room", "transcript", "speech", "speaker"]
    shutil.copytree(folder / "teacher", tmp_path / "part")
    arrays = read_arrays(tmp_path / "part" / "model.weights.h5")
    write_arrays(tmp_path / "part" / "model.weights.h5",
                 {name: value for name, value in arrays.items() if not name.startswith("speech/")})
    run = prepare_run(load_config(folder / "student.yaml", [*taught(tmp_path / "part"), *overrides]))
    assert list(run.model.penalties[0].taught) == ["room", "transcript", "speaker"]
    with pytest.raises(ConfigError, match="head 'speech' of .*part can't teach 'speech': its weights have none of it"):
        prepare_run(load_config(folder / "student.yaml", taught(tmp_path / "part", heads=["speech"])))


@pytest.mark.usefixtures("without_graphs")
def test_heads_on_cached_features_can_be_taught(folder, tmp_path):
    cached = ["data.augment.noise.probability=0", "data.augment.silence.probability=0", "training.cache_features=true",
              "training.freeze=[frontend/*, backbone/*]"]
    result = trainer.train(folder / "student.yaml", tmp_path / "run",
                           overrides=[*taught(folder / "teacher"), *cached])
    assert result.ended == "finished"
    with pytest.raises(ConfigError, match="cache_features: the backbone doesn't train, and penalty 'teacher' teaches"):
        prepare_run(load_config(folder / "student.yaml", [*taught(folder / "teacher", features=FEATURES), *cached]))


# -- runs --------------------------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_a_student_learns_what_nobody_told_it(folder, tmp_path):
    """A teacher that knows high tones from low ones, a student without a single label."""
    options = ["training.epochs=40", "data.augment.silence.probability=0", "data.augment.noise.probability=0",
               "data.train=[{manifest: known.jsonl}]"]
    lines = [json.loads(line) for line in (folder / "tones.jsonl").read_text().splitlines()]
    (folder / "known.jsonl").write_text("".join(json.dumps({**line, "keyword": line["truth"]}) + "\n" for line in lines))
    (folder / "unknown.jsonl").write_text("".join(json.dumps(
        {name: line[name] for name in ("audio", "duration", "split")}) + "\n" for line in lines))
    trainer.train(folder / "larger.yaml", tmp_path / "teacher", overrides=options, heads=["keyword"])
    options[-1] = "data.train=[{manifest: unknown.jsonl}]"
    trainer.train(folder / "student.yaml", tmp_path / "student", heads=["keyword"],
                  overrides=[*options, *taught(tmp_path / "teacher", heads=["keyword"], features={2: 2},
                                                loss_weights={"features": 0.1})])
    wrong = {}
    for name in ("teacher", "student"):
        answers = load(tmp_path / name).recognize_batch([str(folder / line["audio"]) for line in lines])
        wrong[name] = sum(answer.keyword != line["truth"] for answer, line in zip(answers, lines))
    assert wrong["teacher"] == 0 and wrong["student"] <= 1


@pytest.mark.usefixtures("without_graphs")
def test_a_run_that_was_cut_short_ends_like_one_that_was_not(folder, tmp_path):
    overrides = taught(folder / "teacher", features=FEATURES, heads=["transcript", "speaker"])
    config = folder / "student.yaml"

    def stop(record):
        if record["step"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.train(config, tmp_path / "cut", overrides=overrides, on_record=stop).ended == "interrupted"
    arrays = read_arrays(tmp_path / "cut" / "checkpoint.h5")
    maps = {name for name in arrays if name.startswith("penalty/")}
    assert maps == {f"penalty/teacher/{name}_{kind}" for name in ("speaker", "teacher_block_1", "teacher_block_2")
                    for kind in ("kernel", "bias")}
    with pytest.raises(ValueError, match="was trained with another file of penalty 'teacher'"):
        trainer.train(config, tmp_path / "cut", overrides=[text.replace("/teacher", "/other") for text in overrides])
    with pytest.raises(ConfigError, match="training.penalties: 'teacher': .*gone: no such weights file"):
        trainer.train(config, tmp_path / "cut", overrides=[text.replace("/teacher", "/gone") for text in overrides])
    records = []
    for name in ("cut", "whole"):
        assert trainer.train(config, tmp_path / name, overrides=overrides,
                             on_record=records.append).ended == "finished"
    one, other = (read_arrays(tmp_path / name / "final.weights.h5") for name in ("cut", "whole"))
    assert not any("teacher" in name for name in one)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
    assert all(record["penalty"] > 0 for record in records if record["event"] == "train")
    assert load(tmp_path / "whole").batch_outputs([tone(0.5, 400.0)])[0].keys() == {
        "keyword", "room", "transcript", "speech", "speaker"}


@pytest.mark.parametrize("change, message", [
    ({"heads": ["keywrod"]}, "the model has no head 'keywrod'; did you mean 'keyword'"),
    ({"heads": {"keyword": "mood"}}, "mood"),
    ({"heads": {"keyword": "room"}}, "head 'room' of .* can't teach 'keyword': it is of type 'slots', and not of"),
    ({"features": {"1": 9}}, "has blocks 1 to 2, and no 9"),
    ({"features": {"7": 1}}, "'teacher_block_7' reads block 7; the backbone has blocks 1 to 2"),
    ({"heads": ["keyword"], "loss_weights": {"speech": 1}}, "loss_weights: 'speech' is not among what is taught: keyw"),
    ({"temperature": 0}, "temperature 0 must be above 0"),
    ("data.augment.speed={probability: 0.5, minimum: 0.9, maximum: 1.1}", "data.augment.speed moves them in time"),
    ("data.augment.shift={probability: 0.5, minimum: 0, maximum: 0.1}", "data.augment.shift moves them in time"),
    ("data.crop_seconds=0.3", "crop"),
    ("heads.keyword.options.classes=[low, middle]", "head 'keyword' of .* can't teach 'keyword': only one of the two "
                                                    "has high, middle"),
    ("sharing=mtan", "frames of a block are frames of one backbone"),
])
def test_what_can_not_teach(folder, change, message):
    options = change if isinstance(change, dict) else {"heads": ["keyword"], "features": {"1": 1}}
    overrides = [*taught(folder / "teacher", **options), *([] if isinstance(change, dict) else [change])]
    with pytest.raises(ConfigError, match=message) as caught:
        prepare_run(load_config(folder / "student.yaml", overrides))
    assert "\n" not in str(caught.value)
