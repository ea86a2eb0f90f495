"""benchmarks/quality/pretraining.py: what is trained on what, for how long, and that nothing is trained twice."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.quality import pretraining
from speechzoo.training.trainer import TrainingResult
from tests.training.tiny_corpus import make_corpus

LABELLED = ["tones.jsonl:train"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"))
    return pretraining.base_config(str(corpus), corpus.parent, ["tones.jsonl:dev"])


def test_a_share_of_the_labels_takes_the_steps_of_all(base):
    assert list(base.heads) == ["phones"] and base.training.epochs == pretraining.EPOCHS
    for share, utterances in ((0.01, 1), (0.25, 4), (1.0, 18)):
        source, = pretraining.repeated(pretraining.labelled_config(base, LABELLED, share), 1 / share).data.train
        assert (source.manifest, source.split, source.utterances) == ("tones.jsonl", "train", utterances)
        assert source.repeat == 1 / share


def test_hours_become_passes(base):
    config = pretraining.labelled_config(base, LABELLED, 1.0)
    source, = pretraining.timed(config, 0.5, (0.001, 100)).data.train  # 100 steps take 0.1 core hours
    assert source.repeat == pytest.approx(5)


def test_what_comes_before_the_labels(base):
    unlabelled, words = (pretraining.first_config(base, method, ["a.jsonl"], ["b.jsonl:train"]) for method in ("best_rq", "words"))
    assert [head.type for head in unlabelled.heads.values()] == ["best_rq"] and unlabelled.data.train[0].manifest == "a.jsonl"
    assert [head.type for head in words.heads.values()] == ["words"]
    assert (words.data.train[0].manifest, words.data.train[0].split) == ("b.jsonl", "train")
    assert all(config.data.dev == [] and not config.training.sort_first_epoch for config in (unlabelled, words))


def test_the_pace_is_that_of_the_later_steps_and_its_run_is_gone(base, tmp_path, monkeypatch):
    def train(config, folder, resume, on_record):
        folder.mkdir()
        for step in range(10, 100, 10):  # the first ten are dear
            on_record({"event": "train", "step": step, "total_steps": 500, "core_hours": 1.0 + 0.002 * step})

    monkeypatch.setattr(pretraining, "train", train)
    pace = pretraining.remembered_pace(base, tmp_path / "pace.json")
    assert pace == (pytest.approx(0.002), 500)
    assert [path.name for path in tmp_path.iterdir()] == ["pace.json"]
    monkeypatch.delattr(pretraining, "train")
    assert pretraining.remembered_pace(base, tmp_path / "pace.json") == pace


def test_every_method_and_share_once(base, tmp_path, monkeypatch, capsys):
    runs = []

    def train(config, folder, weights):
        runs.append((folder.name, weights and weights.parent.name))
        folder.mkdir(parents=True, exist_ok=True)
        if len(runs) == 7:
            return TrainingResult(folder, "interrupted", 3, 9)
        metrics = {"phones/per": 0.5} if "phones" in config.heads else {}
        return TrainingResult(folder, "finished", 9, 9, metrics=metrics, core_hours=0.25)

    monkeypatch.setattr(pretraining, "train", train)
    monkeypatch.setattr(pretraining, "measure_pace", lambda config, folder: (0.001, 100))
    arguments = argparse.Namespace(runs=Path(tmp_path), methods=["best_rq", "words"], pretrain_hours=0.5, tune_hours=0.25,
                                   unlabelled=["tones.jsonl"], labelled=LABELLED, sentences=["tones.jsonl"])
    assert pretraining.compare(base, arguments) is None
    rows = pretraining.compare(base, arguments)
    names = [name for name, _ in runs]
    assert len(names) == 15 and sorted(name for name in names if names.count(name) > 1) == ["best_rq_5", "best_rq_5"]
    assert dict(runs)["best_rq"] is None and dict(runs)["none_1"] is None and dict(runs)["words_100"] == "words"
    assert [(row["method"], row["share"]) for row in rows] == [
        (method, share) for method in ("none", "best_rq", "words") for share in pretraining.SHARES]
    assert rows[0]["first_core_hours"] == 0 and rows[-1]["first_core_hours"] == 0.25 and rows[-1]["phones_wrong"] == 0.5
    assert json.loads((tmp_path / "pace_words.json").read_text()) == [0.001, 100]
    assert "words, 25%: 50.0% of the phones wrong" in capsys.readouterr().out
