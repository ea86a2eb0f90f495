"""benchmarks/quality/multitask.py: who is tested, which labels stay, what the figures are; and the command itself."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import multitask, multitask_figures, multitask_runs
from benchmarks.quality.multitask_runs import ALONE, HEADS, TUNED, Run
from speechzoo.multitask.relatedness import Grouping
from speechzoo.training.relate_tasks import Relatedness
from speechzoo.weights import read_arrays
from tests.helpers import tone, write_wav
from tools.tables import multitask as tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Tones under the names of the four corpora."""
    root = tmp_path_factory.mktemp("prepared")

    def add(corpus, utterances):
        lines = []
        for number, labels in enumerate(utterances):
            write_wav(root / corpus / f"{number}.wav", tone(0.6, 200 + 40 * number, seed=number))
            lines.append({"audio": f"{number}.wav", "id": f"clip_{number}", "duration": 0.6, **labels})
        (root / corpus / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    words, phones = ("yes", "no", "bed"), [["SIL", 0.2], ["AA", 0.6]]
    add("speech_commands", [{"split": split, "keyword": word, "transcript": "not used", "speaker": "nobody"}
                            for split, count in (("training", 4), ("validation", 2), ("testing", 1))
                            for word in words for _ in range(count)])
    add("speechocean762", [{"speaker": f"{gender}_{age}_{number}", "gender": gender, "age_group": age, "alignment": phones}
                           for gender in ("female", "male") for age in ("adult", "child") for number in range(4)
                           for _ in range(2)])
    add("librispeech", [{"speaker": f"{gender}_{number}", "gender": gender, "transcript": "not used"}
                        for gender in ("female", "male") for number in range(2)])
    add("esc10", [{"split": f"fold{fold}", "event": event} for fold in (1, 2, 3, 4, 5)
                  for event in ("rain", "rooster")])
    return root


def test_speakers_and_splits_of_the_test_are_not_trained_on(prepared):
    train, test = multitask_runs.gather(prepared)
    for corpus, tested in (("speechocean762", 4), ("librispeech", 2)):
        speakers = [{utterance["speaker"] for utterance in part if utterance["corpus"] == corpus}
                    for part in (train, test)]
        assert not speakers[0] & speakers[1] and len(speakers[1]) == tested
    assert {utterance["gender"] for utterance in test if "gender" in utterance} == {"female", "male"}
    assert [sum("event" in utterance for utterance in part) for part in (train, test)] == [6, 2]
    assert [sum("keyword" in utterance for utterance in part) for part in (train, test)] == [12, 6]
    known = {"id", "corpus", "duration", "audio", "start"}
    for utterance in train + test:
        assert set(utterance) <= known | set(multitask_runs.CORPORA[utterance["corpus"]].labels)
        assert Path(utterance["audio"]).is_file()


def test_keywords_are_limited_by_class(prepared, monkeypatch):
    monkeypatch.setattr(multitask_runs, "CLIPS_OF_A_KEYWORD", {"train": 3, "test": 1})
    train, test = multitask_runs.gather(prepared)
    assert [sum("keyword" in utterance for utterance in part) for part in (train, test)] == [9, 3]


def test_few_labels_are_shares_of_every_class_and_lie_in_each_other(prepared):
    train, _ = multitask_runs.gather(prepared)
    chosen = {percent: multitask_runs.choose(train, "keyword", percent, seed=1) for percent in (1, 50, 100)}
    assert [len(ids) for ids in chosen.values()] == [3, 6, 12] and chosen[1] < chosen[50] < chosen[100]
    words = {utterance["id"]: utterance.get("keyword") for utterance in train}
    assert {words[name] for name in chosen[1]} == {"yes", "no", "bed"}
    assert any(multitask_runs.choose(train, "keyword", 1, seed) != chosen[1] for seed in (2, 3, 4))


def test_what_has_the_few_labels_is_half_of_what_is_drawn(prepared):
    train, _ = multitask_runs.gather(prepared)
    sources = multitask_runs.make_sources(train, Run("hard", 1, tuple(HEADS), "keyword", 25))
    draws = [repeat * len(utterances) for repeat, utterances in sources]
    whole = sum(multitask_runs.CORPORA[utterance["corpus"]].repeat for utterance in train)
    assert sum(draws) == pytest.approx(whole)
    labelled = [(draw, utterances) for draw, (_, utterances) in zip(draws, sources) if "keyword" in utterances[0]]
    assert labelled[0][0] == pytest.approx(6) and len(labelled) == 1 and len(labelled[0][1]) == 3
    assert sum("alignment" in utterance for _, utterances in sources for utterance in utterances) == sum(
        "alignment" in utterance for utterance in train)
    everything = multitask_runs.make_sources(train, Run("hard", 1, tuple(HEADS)))
    assert sorted(utterance["id"] for _, part in everything for utterance in part) == sorted(
        utterance["id"] for utterance in train)


def test_alone_takes_the_steps_that_its_labels_have_in_the_shared_training(prepared):
    train, _ = multitask_runs.gather(prepared)
    # 12 words, 24 + 2 recordings by known speakers, 6 events three times: 56 of equal length are drawn.
    assert len(train) == 44
    steps = {head: multitask_runs.count_steps(train, Run(ALONE, 1, (head,)), 560) for head in HEADS}
    assert steps == {"keyword": 120, "speaker": 260, "gender": 260, "age_group": 240, "alignment": 240, "event": 180}
    assert multitask_runs.count_steps(train, Run("hard", 1, tuple(HEADS)), 560) == 560


def result_of(method, seed, errors, few=None, percent=100):
    return {"method": method, "seed": seed, "heads": list(errors), "few": few, "percent": percent, "errors": errors,
            "settings": multitask_runs.settings(10), "labels": dict.fromkeys(errors, 40 if few else 400),
            "seconds_per_step": 0.5, "peak_megabytes": 600.0, "parameters": 1000, "macs_per_second": 2e6}


@pytest.fixture
def results():
    """Alone every head errs in 20 %; together keyword in 10 and 12 %, event in 39 and 41 %, the others as alone."""
    alone = [result_of(ALONE, seed, {head: 0.2}) for seed in (1, 2) for head in HEADS]
    others = dict.fromkeys(HEADS, 0.2)
    together = [result_of("hard", seed, {**others, "keyword": 0.11 + move, "event": 0.4 + move})
                for seed, move in ((1, -0.01), (2, 0.01))]
    few = [result_of(ALONE, seed, {"event": 0.8}, "event", 5) for seed in (1, 2)]
    few += [result_of("hard", seed, {"event": 0.6}, "event", 5) for seed in (1, 2)]
    few += [result_of(TUNED, seed, {"event": 0.85 + 0.01 * seed}, "event", 5) for seed in (1, 2)]
    return alone + together + few


def test_delta_m_and_gains_worked_out_by_hand(results):
    # (0.1 - 0.19) / 0.2 / 6 ...: gains of 0.5 and 0.4, losses of 0.95 and 1.05, four heads unchanged.
    assert multitask_figures.delta_m(results, "hard") == pytest.approx({1: (0.5 - 0.95) / 6, 2: (0.4 - 1.05) / 6})
    keyword = [multitask_figures.errors_by_seed(results, method, "keyword") for method in ("hard", ALONE)]
    mean, half = multitask_figures.gain(*keyword)
    assert mean == pytest.approx(0.09) and half == pytest.approx(12.71 * 0.01)  # of 0.1 and 0.08
    assert multitask_figures.gain({1: 0.1}, {1: 0.2, 2: 0.2}) is None
    assert multitask_figures.delta_m(results, "soft") == {}


def test_figures_tables_and_pictures(results, tmp_path):
    results += [result_of("hard", 3, {**dict.fromkeys(HEADS, 0.2), "keyword": 0.11, "event": 0.4})]
    results += [result_of(ALONE, 3, {head: 0.2}) for head in HEADS]
    multitask_figures.write_all(results, tmp_path, tmp_path / "relatedness")
    text = "\n".join(tables.errors(tmp_path) + tables.costs(tmp_path))
    assert "| hard sharing, fixed weights | 3 | **11.0 ± 1.0** | 20.0 ± 0.0 | 20.0 ± 0.0 |" in text
    assert "| *40.0 ± 1.0* ▲ | -9.2 ± 1.7 |" in text and "sharing `soft`" not in text
    assert "| alone | 3 | 20.0 ± 0.0 |" in text
    assert "alone, the 6 networks together | 6,000 | 12.0 | 0.500 each | 600 |" in text
    assert "| event | 40 (5 %) | 2 | 80.0 ± 0.0 | 60.0 ± 0.0 | **+20.0 (+20.0 to +20.0)** |" in tables.few_labels(
        tmp_path, "together")
    assert "| event | 40 (5 %) | 2 | 80.0 ± 0.0 | 86.5 ± 0.7 | *-6.5 (-12.9 to -0.1)* ▲ |" in tables.few_labels(
        tmp_path, "tuned")
    for name in ("multitask", "multitask_few_labels_together", "multitask_few_labels_tuned"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "multitask_affinity.csv").exists()


def test_few_labels_are_summed_up_over_the_heads():
    few = [result_of(method, seed, {head: error}, head, 25) for seed in (1, 2) for head in HEADS
           for method, error in ((ALONE, 0.4), (TUNED, 0.3 + (0.05 * seed if head == "event" else 0)))]
    # Five heads gain a quarter; event, of 0.35 and 0.4, gains an eighth and nothing.
    assert multitask_figures.delta_m(few, TUNED, 25) == pytest.approx({1: 1.375 / 6, 2: 1.25 / 6})
    *rows, total = multitask_figures.few_label_rows(few, TUNED)
    assert len(rows) == 6 and (total["way"], total["head"], total["seeds"]) == ("tuned", "delta_m", 2)
    assert total["alone"] is None and total["gain"] == pytest.approx(2.625 / 12)
    assert (total["low"], total["high"]) == pytest.approx((0.086, 0.351), abs=0.001)


def test_a_gain_of_one_seed_is_left_out(tmp_path):
    few = [result_of(method, 1, {"event": error}, "event", 5) for method, error in ((ALONE, 0.8), ("hard", 0.6))]
    multitask_figures.write_all(few, tmp_path, tmp_path)
    assert tables.few_labels(tmp_path, "together")[2:] == ["| event | 40 (5 %) | 1 | 80.0 | 60.0 |  |"]


def test_figures_without_runs_are_not_written(results, tmp_path):
    multitask_figures.write_all([result for result in results if result["method"] in (ALONE, TUNED)], tmp_path, tmp_path)
    assert [path.name for path in tmp_path.glob("*.csv")] == ["multitask_few_labels.csv"]
    assert tables.few_labels(tmp_path, "together")[2:] == []


def test_what_belongs_together(prepared, results, tmp_path, monkeypatch):
    def relate(config, steps, networks, measure_every):
        """What `speechzoo relate` would find, without its trainings."""
        assert list(config.heads) == list(HEADS) and (steps, networks) == (60, 3) and measure_every == 2
        assert all(Path(config.data.root, source.manifest).is_file() for source in config.data.train)
        matrix = [[0.01 * (row - column) if row != column else None for column in range(6)] for row in range(6)]
        grouping = Grouping([["keyword", "event"], [head for head in HEADS if head not in ("keyword", "event")]], 0.1, 9)
        return Relatedness(list(HEADS), matrix, matrix, None, grouping, 5, dict.fromkeys(HEADS, 1),
                           [{"step": 2, "affinity": matrix, "cosine": matrix}])

    monkeypatch.setattr("speechzoo.training.relate_tasks.relate", relate)
    runs = tmp_path / "runs"
    runs.mkdir()
    for number, result in enumerate(results):
        (runs / f"{number}.json").write_text(json.dumps({**result, "settings": multitask_runs.settings(60)}))
    arguments = ["--data", str(prepared), "--runs", str(runs), "--steps", "60", "--figures", str(tmp_path), "--relate"]
    assert multitask.main(multitask.parse_arguments(arguments)) == 0
    text = "\n".join(tables.affinities(tmp_path) + tables.errors(tmp_path))
    assert "| event | +5.00 | +4.00 | +3.00 | +2.00 | +1.00 |  |" in text and "| hard sharing, fixed weights | 2 |" in text
    assert "Networks proposed: `keyword`, `event`; `speaker`, `gender`, `age_group`, `alignment`." in text
    assert (tmp_path / "multitask_relatedness.png").read_bytes().startswith(b"\x89PNG")


def test_every_run_has_a_name_and_every_method_a_run():
    runs = multitask_runs.plan_runs(3)
    assert len({run.name for run in runs}) == len(runs) == 3 * (1 + 12 + 18 + 36 + 6 + 18)
    assert {"hard-seed1", "alone-event-seed2", "alone_all_steps-event-seed3", "pcgrad-seed1",
            "alone-alignment-5_of_alignment-seed1", "hard-25_of_gender-seed3", "others-without_event-seed1",
            "tuned-event-1_of_event-seed2"} <= {run.name for run in runs}
    for place, run in enumerate(runs):
        assert run.start is None or run.start in runs[:place] and run.heads[0] not in run.start.heads


def test_tuning_starts_from_a_network_of_the_other_heads(prepared, tmp_path, monkeypatch):
    tuned = Run(TUNED, 1, ("event",), "event", 25)
    with pytest.raises(ValueError, match="starts from the weights of the run 'others-without_event-seed1'"):
        multitask_runs.train_one(tuned, prepared, tmp_path, 1)
    others = multitask_runs.train_one(tuned.start, prepared, tmp_path, 1)
    assert others["errors"] == {} and "event" not in others["labels"] and others["steps"] == 3
    found = {}
    # Without a step, what is measured is what was loaded.
    monkeypatch.setattr("speechzoo.training.step.make_train_step", lambda model: lambda *batch: {"loss": 1.0})
    monkeypatch.setattr("speechzoo.evaluation.evaluate", lambda model, *arguments, **options: found.update(
        {variable.path: variable.numpy() for variable in model.trainable_variables}) or {
            "overall": {"event": {"accuracy": 0.25, "n": 4}}})
    result = multitask_runs.train_one(tuned, prepared, tmp_path, 1)
    assert result["errors"] == {"event": 0.75} and result["labels"] == {"event": 2}
    learnt = {name: value for name, value in read_arrays(tmp_path / "others-without_event-seed1.weights.h5").items()
              if name.startswith("backbone/") and name in found}
    assert len(learnt) > 10 and {name.split("/")[0] for name in found} >= {"backbone", "event"}
    for name, value in learnt.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, err_msg=name)


def test_the_command_trains_measures_and_does_nothing_twice(prepared, tmp_path, capsys):
    runs = tmp_path / "runs"
    arguments = ["--data", str(prepared), "--runs", str(runs), "--steps", "2", "--only", "hard-seed1",
                 "--figures", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "benchmarks.quality.multitask", *arguments], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "1 runs, 1 to do" in done.stdout, done.stdout + done.stderr
    result = json.loads((runs / "hard-seed1.json").read_text())
    assert set(result["errors"]) == set(HEADS) and result["steps"] == 2
    assert all(0 <= error <= 1 for error in result["errors"].values())
    assert result["tested"] == {"keyword": 6, "speaker": 10, "gender": 10, "age_group": 8, "alignment": 8, "event": 2}
    assert result["labels"]["age_group"] == 24 and result["macs_per_second"] > 1e5 and result["peak_megabytes"] > 100
    assert "| hard sharing, fixed weights | 1 |" in "\n".join(tables.errors(tmp_path))
    assert multitask.main(multitask.parse_arguments(arguments)) == 0
    assert "1 runs, 0 to do" in capsys.readouterr().out
    with pytest.raises(ValueError, match="made with other settings"):
        multitask.main(multitask.parse_arguments([*arguments[:5], "3", *arguments[6:]]))
