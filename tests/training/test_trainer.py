import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from speechzoo.config import ConfigError, load_config
from speechzoo.multitask.build import build_model
from speechzoo.training import trainer
from speechzoo.training.run_log import read_log
from speechzoo.training.trainer import DivergedError, train
from speechzoo.weights import load_weights, read_arrays, save_weights, write_arrays
from tests.helpers import without_graphs
from tests.on_jax import run_on_jax
from tests.training.tiny_corpus import AS_PROGRAM, SPEAKERS, final_outputs, make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

ROOT = Path(__file__).parents[2]
UNEQUAL = ["heads.keyword.focal_gamma=1", "heads.keyword.class_balance=0.9", "heads.keyword.logit_adjustment=1",
           "heads.keyword.soft_bootstrap=0.05", "heads.keyword.hard_bootstrap=0.05", "heads.speaker.first_epoch=2",
           "data.source_temperature=2", "training.sort_first_epoch=false"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """A run from beginning to end, and its records."""
    records = []
    output = tmp_path_factory.mktemp("runs") / "whole"
    with without_graphs():
        return train(corpus, output, on_record=records.append), records


def in_process(*arguments):
    return subprocess.run([sys.executable, "-m", "tests.training.tiny_corpus", *map(str, arguments)], cwd=ROOT,
                          capture_output=True, text=True)


def assert_same_weights(first, second, tolerance=0):
    first, second = read_arrays(first / "final.weights.h5"), read_arrays(second / "final.weights.h5")
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=0, atol=tolerance, err_msg=name)


def test_a_run_starts_from_the_folder_of_another(corpus, finished, tmp_path):
    result = train(corpus, tmp_path / "next", overrides=["training.epochs=1"], weights=finished[0].output,
                   heads=["keyword"])
    assert result.load_report.missing == [] and result.load_report.mismatched == []
    with pytest.raises(FileNotFoundError, match="mtl_ds_cnn_mikro: no such weights file"):
        train(corpus, tmp_path / "none", weights="mtl_ds_cnn_mikro")
    assert not (tmp_path / "none").exists()


def test_a_run_leaves_weights_log_and_curves(corpus, finished):
    result, records = finished
    assert (result.ended, result.step, result.total_steps) == ("finished", 18, 18)
    log = read_log(result.output / "log.jsonl")
    assert log == records
    assert [(record["event"], record["step"]) for record in log] == [
        ("dev", 6), ("train", 10), ("dev", 12), ("train", 18), ("dev", 18), ("final", 18)]
    assert {"loss", "keyword/loss", "keyword/accuracy", "speaker/loss", "speed", "learning_rate"} <= log[1].keys()
    durations = [json.loads(line) for line in (corpus.parent / "tones.jsonl").read_text().splitlines()]
    heard = 3 * sum(line["duration"] for line in durations if line["split"] == "train") / 3600
    assert result.audio_hours == log[-1]["audio_hours"] == pytest.approx(heard)
    assert 0 < log[0]["core_hours"] < log[-1]["core_hours"] <= result.core_hours < 1
    assert json.loads((result.output / "labels.json").read_text()) == {"speaker": SPEAKERS}
    assert json.loads((result.output / "data.json").read_text())["train"]["utterances"] == 18
    assert load_config(result.output / "config.yaml").to_dict() == load_config(corpus).to_dict()
    assert list((result.output / "tensorboard").glob("events.*"))
    assert (result.output / "curves.png").read_bytes().startswith(b"\x89PNG")
    kept = sorted(path.name for path in (result.output / "evaluated").iterdir())
    assert kept == ["00000012.weights.h5", "00000018.weights.h5"]
    assert result.best == min(record["loss"] for record in log if record["event"] == "dev")


def test_it_learns(finished):
    log = read_log(finished[0].output / "log.jsonl")
    dev = [record["loss"] for record in log if record["event"] == "dev"]
    assert dev[-1] < dev[0]


def test_final_weights_are_the_mean_of_the_last_evaluated_ones(finished):
    output = finished[0].output
    last = [read_arrays(path) for path in sorted((output / "evaluated").iterdir())]
    for name, value in read_arrays(output / "final.weights.h5").items():
        np.testing.assert_allclose(value, (last[0][name] + last[1][name]) / 2, atol=1e-7)


def test_final_metrics_are_those_of_the_final_weights(corpus, finished):
    """Recomputed utterance by utterance, without batches, padding or Keras metrics."""
    config = load_config(corpus)
    model = build_model(config, labels={"speaker": SPEAKERS})
    load_weights(model, finished[0].output / "final.weights.h5")
    from speechzoo.audio import load_audio

    losses, right = [], []
    for line in (corpus.parent / "tones.jsonl").read_text().splitlines():
        utterance = json.loads(line)
        if utterance["split"] == "dev":
            (outputs,) = model.batch_outputs([load_audio(corpus.parent / utterance["audio"])])
            logits = outputs["keyword"].astype(np.float64)
            target = ["low", "high"].index(utterance["keyword"])
            losses.append(np.log(np.exp(logits).sum()) - logits[target])
            right.append(logits.argmax() == target)
    assert finished[0].metrics["keyword/loss"] == pytest.approx(np.mean(losses), abs=1e-4)
    assert finished[0].metrics["keyword/accuracy"] == pytest.approx(np.mean(right))


def test_killed_runs_end_with_the_same_weights(corpus, finished, tmp_path):
    """Killed between two checkpoints, then while a checkpoint takes its place, then left alone."""
    for moment in ("step 8", "rename 2"):
        process = in_process(corpus, tmp_path / "run", moment)
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert not (tmp_path / "run" / "final.weights.h5").exists()
    result = train(corpus, tmp_path / "run")
    assert_same_weights(tmp_path / "run", finished[0].output, 1e-6)
    steps = [record["step"] for record in read_log(tmp_path / "run" / "log.jsonl") if record["event"] == "dev"]
    assert steps == [6, 12, 18]
    assert result.metrics == pytest.approx(finished[0].metrics, abs=1e-5)
    assert result.audio_hours == pytest.approx(finished[0].audio_hours)


def test_ctrl_c_saves_and_the_next_call_goes_on(corpus, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)

    def interrupt(record):
        if record["event"] == "train" and record["step"] == 5:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    result = train(corpus, tmp_path, on_record=interrupt)
    assert (result.ended, result.step) == ("interrupted", 5)
    assert signal.getsignal(signal.SIGINT) == handler
    # Three epochs' schedule belongs to the run, so that only the same run goes on.
    with pytest.raises(ValueError, match="trained on other batches"):
        train(corpus, tmp_path, overrides=["training.seed=2"])
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patched:
        patched.setattr(trainer, "save_checkpoint", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(OSError, match="No space left"):
            train(corpus, tmp_path)
    records = []
    train(corpus, tmp_path, on_record=records.append)
    assert records[0]["step"] == 6
    assert_same_weights(tmp_path, finished[0].output, 1e-6)


def test_a_run_that_ended_before_its_first_checkpoint_says_that_it_starts_over(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    seen = []

    def end(record):
        raise InterruptedError

    for _ in range(2):
        with pytest.raises(InterruptedError):
            train(corpus, tmp_path, on_record=end, on_data=seen.append)
    with pytest.raises(InterruptedError):
        train(corpus, tmp_path, resume=False, on_record=end, on_data=seen.append)
    assert [data["started_over"] for data in seen] == [False, True, False]
    assert seen[0]["train"] == json.loads((tmp_path / "data.json").read_text())["train"]


def test_nan_stops_with_the_utterances_named(corpus, finished, tmp_path):
    arrays = read_arrays(finished[0].output / "final.weights.h5")
    arrays["keyword/logits/bias"][:] = np.nan
    write_arrays(tmp_path / "broken.h5", arrays)
    with pytest.raises(DivergedError, match=r"nan at step 1 \(epoch 1, batch 1\).*tone_\d+, tone_\d+") as raised:
        train(corpus, tmp_path / "run", weights=tmp_path / "broken.h5")
    # The first epoch runs from short to long: the shortest three, whose numbers are multiples of 7.
    assert {"tone_0", "tone_7", "tone_14"} <= set(str(raised.value).split(": ")[-1].split(", "))
    assert not (tmp_path / "run" / "checkpoint.h5").exists()


def test_early_stop_and_start_from_weights(corpus, finished, tmp_path, monkeypatch):
    model = build_model(load_config(corpus), heads=["keyword"])
    load_weights(model, finished[0].output / "final.weights.h5", strict=False)
    save_weights(model, tmp_path / "start.h5")
    # What is measured is fixed: even a learning rate of zero moves the statistics of batch norm.
    monkeypatch.setattr(trainer, "evaluate_on_dev", lambda *_: {"loss": 1.0})
    result = train(corpus, tmp_path / "run", weights=tmp_path / "start.h5",
                   overrides=["training.learning_rate=0.0", "training.early_stop_patience=1",
                              "training.ema_momentum=0.0", "training.weight_decay=0.0", "training.evaluate_every=2"])
    assert (result.ended, result.step, result.best_step) == ("early", 4, 2)
    assert "speaker/embedding/kernel" in result.load_report.missing and not result.load_report.unexpected
    start, final = read_arrays(tmp_path / "start.h5"), read_arrays(tmp_path / "run" / "final.weights.h5")
    np.testing.assert_array_equal(start["backbone/conv_1/kernel"], final["backbone/conv_1/kernel"])


def test_an_unknown_metric_and_missing_data_are_named(corpus, tmp_path):
    with pytest.raises(ConfigError, match="'keyword/wer' is not measured on dev; measured: loss, keyword/loss"):
        train(corpus, tmp_path / "metric", overrides=["training.early_stop_metric=keyword/wer", "training.epochs=1"])
    with pytest.raises(ConfigError, match="data.train names no manifest"):
        train(corpus, tmp_path / "empty", overrides=["data.train=[]"])


def test_a_head_alone_stops_by_the_loss_where_the_config_stops_by_another_head(corpus, tmp_path):
    result = train(corpus, tmp_path / "run", heads=["speaker"],
                   overrides=["training.early_stop_metric=keyword/accuracy", "training.epochs=1"])
    assert result.best_step == result.step and "keyword/loss" not in result.metrics


def test_speakers_alone_train_where_dev_has_none_of_them(corpus, tmp_path):
    lines = [json.loads(line) for line in (corpus.parent / "tones.jsonl").read_text().splitlines()]
    strangers = [{**line, "audio": str(corpus.parent / line["audio"]), "speaker": f"stranger_{number}"}
                 for number, line in enumerate(lines) if line["split"] == "dev"]
    (tmp_path / "strangers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in strangers))
    dev = f"data.dev=[{{manifest: {tmp_path / 'strangers.jsonl'}}}]"
    result = train(corpus, tmp_path / "run", heads=["speaker"], overrides=[dev, "training.epochs=1"])
    assert (result.output / "final.weights.h5").is_file() and result.metrics == {}
    assert "speaker/loss" not in train(corpus, tmp_path / "both", overrides=[dev, "training.epochs=1"]).metrics


@pytest.mark.jax
def test_jax_trains_without_tensorflow_and_its_weights_load_here(corpus, tmp_path):
    """With everything for unequal tasks."""
    run_on_jax(AS_PROGRAM, corpus, tmp_path / "run", "outputs", *UNEQUAL)
    here = final_outputs(corpus, tmp_path / "run")
    there = np.load(tmp_path / "run" / "outputs.npz")
    assert keras.backend.backend() == "tensorflow" and sorted(here) == sorted(there)
    for head, output in here.items():
        np.testing.assert_allclose(output, there[head], atol=1e-4)
    log = read_log(tmp_path / "run" / "log.jsonl")
    dev = [record["loss"] for record in log if record["event"] == "dev"]
    assert dev[-1] < dev[0]
    trained = [record for record in log if record["event"] == "train"]
    assert all("keyword/loss" in record for record in trained)
    assert {record["epoch"] for record in trained if "speaker/loss" in record} == {1, 2}
