import pytest

from speechzoo import cli
from speechzoo.training import trainer
from speechzoo.weights import LoadReport

RECORDS = [
    {"event": "train", "step": 10, "total_steps": 40, "epoch": 0, "learning_rate": 1e-3, "loss": 3.0,
     "keyword/loss": 2.5, "keyword/accuracy": 0.25, "speed": 120.0},
    {"event": "train", "step": 20, "total_steps": 40, "epoch": 0, "learning_rate": 1e-3, "loss": 2.0,
     "keyword/loss": 1.5, "keyword/accuracy": 0.5, "speed": 130.0},
    {"event": "dev", "step": 20, "total_steps": 40, "epoch": 0, "learning_rate": 1e-3, "loss": 2.25,
     "keyword/loss": 2.25},
]

DATA = None


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """The arguments that the command gives to `train`, which answers with the `result` that a test sets."""
    seen = {"result": trainer.TrainingResult(tmp_path, "finished", 40, 40, 1.5, 20, {"loss": 1.75}, audio_hours=12.345, core_hours=0.5)}

    def train(config, output, resume, overrides, weights, heads, on_record, on_data):
        seen.update(config=config, output=output, resume=resume, overrides=overrides, weights=weights, heads=heads)
        if DATA:
            on_data(DATA)
        for record in RECORDS:
            on_record(record)
        if isinstance(seen["result"], Exception):
            raise seen["result"]
        return seen["result"]

    monkeypatch.setattr(trainer, "train", train)
    return seen


def run(*arguments):
    with pytest.raises(SystemExit) as exit:
        cli.main(["train", *arguments])
    return exit.value.code


def test_plain_lines_where_there_is_no_terminal(calls, tmp_path, capsys):
    assert run("mtl_ds_cnn_micro", "training.epochs=3", "training.seed=2", "--out", str(tmp_path)) == 0
    assert {key: value for key, value in calls.items() if key != "result"} == {
        "config": "mtl_ds_cnn_micro", "output": str(tmp_path), "resume": True, "weights": None, "heads": None,
        "overrides": ["training.epochs=3", "training.seed=2"]}
    lines = capsys.readouterr().out.splitlines()
    assert "train step 10/40 epoch 1: loss 3, keyword 2.5, keyword/accuracy 0.25, 120 s audio/s" in lines[0]
    assert " left" in lines[1]
    assert lines[2].endswith("dev step 20/40 epoch 1: loss 2.25, keyword 2.25")
    assert lines[3:] == [f"{tmp_path}/final.weights.h5: step 40: loss 1.75",
                         f"{tmp_path}/best.weights.h5: step 20: 1.5",
                         "12.3 hours of audio heard, 0.5 core hours of work"]


def test_what_is_left_out_is_said_before_training(calls, tmp_path, capsys, monkeypatch):
    unused = {"transcript 'caf\u00e9\u200b 12' holds 'x'": 1, "transcript 'b 2' holds 'y'": 2}
    monkeypatch.setitem(globals(), "DATA", {"started_over": True, "train": {
        "utterances": 20, "hours": 0.5, "labels": {"transcript": 17}, "left_out": {"longer than 16 s": 4},
        "unused_labels": {"transcript": unused}}})
    assert run("tiny.yaml", "--out", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "an earlier run here ended before its first checkpoint: starting over",
        "train: 20 utterances, 0.5 h; labels: transcript 17", "  left out 4: longer than N s",
        "  transcript: 3 labels not used: transcript '...' holds '...', such as transcript 'caf\u00e9\\u200b 12' "
        "holds 'x'"]


def test_a_cache_that_is_filled(calls, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(globals(), "RECORDS", [{**RECORDS[0], "event": "features", "kept": 20, "reused": 5, "left_out": 2,
                                                "gigabytes": 0.25}])
    assert run("tiny.yaml", "--out", str(tmp_path)) == 0
    assert "frames of 20 utterances on disk, 5 from before, 2 don't fit: 0.25 GB" in capsys.readouterr().out


def test_a_bar_on_a_terminal(calls, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run("tiny.yaml", "--out", str(tmp_path)) == 0
    output = capsys.readouterr().out
    assert "20/40" in output and "dev step 20/40" in output


def test_restart_and_weights(calls, tmp_path, capsys):
    calls["result"].load_report = LoadReport(missing=["speaker/prototypes", "speaker/embedding/bias"])
    run("tiny.yaml", "--out", str(tmp_path), "--restart", "--weights", "start.h5")
    assert (calls["resume"], calls["weights"]) == (False, "start.h5")
    expected = "start.h5: not in the file: 2 variables (speaker/prototypes, ...); not in the model: 0;"
    assert expected in capsys.readouterr().out


def test_interrupted(calls, tmp_path, capsys):
    calls["result"] = trainer.TrainingResult(tmp_path, "interrupted", 20, 40)
    assert run("tiny.yaml", "--out", str(tmp_path)) == 130
    assert "stopped at step 20 of 40; the same command goes on from there" in capsys.readouterr().out


def test_stopped_early(calls, tmp_path, capsys):
    calls["result"].ended = "early"
    assert run("tiny.yaml", "--out", str(tmp_path)) == 0
    assert "no improvement since step 20" in capsys.readouterr().out


def test_errors_are_one_line(calls, tmp_path, capsys):
    message = "the loss is nan at step 3 (epoch 1, batch 3); check ...: a, b"
    calls["result"] = trainer.DivergedError(message)
    assert run("tiny.yaml", "--out", str(tmp_path)) == 2
    assert capsys.readouterr().err == f"speechzoo: error: {message}\n"
