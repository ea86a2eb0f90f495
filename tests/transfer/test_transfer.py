"""A head from a folder of recordings: folds, the choice, the time, interruptions, and what is forgotten."""

import json

import numpy as np
import pytest

from speechzoo import load
from speechzoo.config import ConfigError, SourceConfig
from speechzoo.registry import read_config
from speechzoo.training import trainer
from speechzoo.training.prepare import prepare_run
from speechzoo.transfer import schedules, transfer
from speechzoo.transfer import search as command
from speechzoo.transfer.recordings import make_folds, read_recordings
from tests.helpers import tone, without_graphs, write_wav
from tests.training.tiny_corpus import make_corpus


def utterances(speakers, classes):
    return [{"id": str(number), "speaker": speaker, "keyword": name} for number, (speaker, name) in
            enumerate(zip(speakers, classes))]


def test_folds_leave_speakers_out():
    folds, by_speaker = make_folds(utterances("aabbbcdd", "xyxyxyxy"), "keyword")
    assert by_speaker and sorted(map(list, folds)) == [[0, 1], [2, 3, 4], [5], [6, 7]]
    many, by_speaker = make_folds(utterances([str(number // 2) for number in range(24)], "xy" * 12), "keyword")
    assert by_speaker and len(many) == 5 and sorted(np.concatenate(many)) == list(range(24))
    for fold in many:
        assert all({2 * (number // 2), 2 * (number // 2) + 1} <= set(fold) for number in fold)


def test_folds_without_speakers_have_all_classes():
    given = [{"id": str(number), "keyword": "xxxy"[number % 4]} for number in range(40)]
    folds, by_speaker = make_folds(given, "keyword")
    assert not by_speaker and len(folds) == 5 and sorted(np.concatenate(folds)) == list(range(40))
    assert {sum(given[number]["keyword"] == "y" for number in fold) for fold in folds} == {2}


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A trained model and a folder of two kinds of tones that it has no head for."""
    folder = tmp_path_factory.mktemp("transfer")
    patch = pytest.MonkeyPatch()
    patch.setattr(trainer, "plot_curves", lambda *_: None)
    with without_graphs():
        trainer.train(make_corpus(folder), folder / "base", overrides=["training.epochs=1", "training.ema_momentum=0"])
    patch.undo()
    for number in range(12):
        name = ("deep", "shrill")[number % 2]
        (folder / "own" / name).mkdir(parents=True, exist_ok=True)
        write_wav(folder / "own" / name / f"{number}.wav", tone(0.5, (300, 900)[number % 2] + 9 * number, seed=number))
    return folder


@pytest.fixture
def short(monkeypatch, without_graphs):
    """The two schedules that train on stored frames, two folds, and few steps."""
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr("speechzoo.transfer.recordings.FOLDS", 2)
    monkeypatch.setattr(command, "_STEPS", 12)
    everything = schedules.SCHEDULES[:]
    schedules.SCHEDULES[:] = [schedule for schedule in everything if schedule.name in ("probe", "slow-probe")]
    yield
    schedules.SCHEDULES[:] = everything


def test_it_chooses_measures_and_goes_on(setting, short, tmp_path):
    arguments = setting / "base", setting / "own", "pitch", tmp_path / "out", 500
    lines = []

    def stop(line):
        lines.append(line)
        if len(lines) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(*arguments, on_progress=stop)
    result = transfer(*arguments, on_progress=lines.append, dev=setting / "tones.jsonl", dev_split="dev")
    assert lines[0].startswith("fold 1 of 2, probe: pitch/") and lines[1].startswith("fold 1 of 2, slow-probe: ")
    assert sum(line.startswith("fold") for line in lines) == 4 and "is chosen" in lines[-1]
    assert {name: len(values) for name, values in result.scores.items()} == {"probe": 2, "slow-probe": 2}
    # Of each fold the schedule that is better on the other one, the first of equals.
    one, other = result.scores["probe"], result.scores["slow-probe"]
    expected = [one[fold] if one[1 - fold] >= other[1 - fold] else other[fold] for fold in (0, 1)]
    assert result.metric == "pitch/accuracy" and result.estimate == pytest.approx(np.mean(expected))
    assert result.schedule == ("probe" if np.mean(one) >= np.mean(other) else "slow-probe")
    assert result.changed == {"keyword": 0.0, "speaker": 0.0}  # the backbone is as it was
    assert all(before == pytest.approx(after) for before, after in result.forgotten["keyword"].values())
    model = load(result.model)
    answers = model.recognize_batch([tone(0.5, frequency, seed=70) for frequency in (330, 960)], sample_rate=16000)
    assert {answer.labels["pitch"] for answer in answers} <= {"deep", "shrill"}
    card = (result.model / "card.md").read_text()
    assert f"pitch/accuracy of recordings that it was not trained on: **{result.estimate:.3f}** (2 folds, spea" in card
    assert "| keyword | 0.0 % |" in card and "| probe | " in card
    with pytest.raises(ValueError, match="out: holds another transfer .its seed differs.; choose another"):
        transfer(*arguments, seed=2)


@pytest.mark.parametrize("schedule", schedules.SCHEDULES, ids=lambda schedule: schedule.name)
def test_every_schedule_is_a_config(setting, tmp_path, schedule):
    recordings = read_recordings(setting / "own", "pitch")
    settings = {"seed": 1, "weights": str(setting / "base" / "final.weights.h5")}
    search = command._Search(read_config(setting / "base"), recordings, "pitch", tmp_path, settings, 60, print)
    recordings.write(tmp_path / "all.jsonl", np.arange(12))
    config = search._config(schedule, [SourceConfig(str(tmp_path / "all.jsonl"))], [], 12)
    run = prepare_run(config, settings["weights"])
    trained = {weight.path for weight in run.model.trainable_weights if not weight.path.startswith("l2_sp")}
    backbone = {path for path in trained if path.startswith("backbone/")}
    assert trained > backbone and any(path.startswith("pitch/") for path in trained)
    assert bool(backbone) == (schedule.name in ("lora", "gradual"))
    assert all("lora_" in path for path in backbone) == (schedule.name != "gradual")
    assert not any(path.startswith("frontend/") for path in trained)


def test_time_is_kept_for_the_final_training(short):
    search = command._Search.__new__(command._Search)
    search.state, search.total, search.before, search.started = {"trials": {}}, 100.0, 0.0, command.time.monotonic()
    probe, other = schedules.SCHEDULES
    assert search._has_time(probe)  # one trial in any case
    search.state["trials"]["probe-0"] = {"seconds": 20.0}
    assert search._has_time(probe) and not search._has_time(other)  # 20 + 26; 40 + 52 of 85
    search.before = 50.0
    assert not search._has_time(probe)


@pytest.mark.parametrize("data, head, message", [
    ({"keyword": "one"}, "mood", "0 usable recordings with a label mood; four are the least"),
    ({"keyword": "one"}, "keyword", "labels of keyword must be two words or more"),
])
def test_what_can_not_be_learnt(setting, tmp_path, data, head, message):
    write_wav(tmp_path / "a.wav", tone(0.5, 300.0, seed=1))
    lines = [json.dumps({"audio": "a.wav", **data}) + "\n" for _ in range(5)]
    (tmp_path / "manifest.jsonl").write_text("".join(lines))
    with pytest.raises(ConfigError, match=message):
        transfer(setting / "base", tmp_path, head, tmp_path / "out", 1)
    with pytest.raises(ValueError, match="minutes must be above 0"):
        transfer(setting / "base", tmp_path, head, tmp_path / "out", 0)


def test_recordings_of_a_manifest_have_absolute_paths(setting):
    found = read_recordings(setting / "tones.jsonl", "speaker")
    assert found.skipped == 6 and len(found.utterances) == 18 and found.by_speaker
    assert all(utterance["audio"].startswith(str(setting.resolve())) for utterance in found.utterances)
