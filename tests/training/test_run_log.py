import json
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from speechzoo.training.dev import is_better
from speechzoo.training.run_log import RunLog, plot_curves, read_log

RECORDS = [{"event": "train", "step": step, "loss": 1.0 / step} for step in (10, 20, 30)]


@pytest.fixture
def log(tmp_path):
    log = RunLog(tmp_path)
    for record in RECORDS:
        log.write(record)
    log.close()
    return log


def test_records_come_back(log):
    assert read_log(log.path) == RECORDS


def test_a_resumed_run_drops_what_it_will_do_again(log, tmp_path):
    with open(log.path, "a") as file:
        file.write('{"event": "train", "st')  # killed in the middle of a line
    again = RunLog(tmp_path, step=20)
    again.write({"event": "dev", "step": 25})
    again.close()
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [10, 20, 25]


@pytest.mark.parametrize("step, drawn", [(0, [5]), (20, [10, 20, 25])])
def test_tensorboard_draws_this_run_alone(log, tmp_path, step, drawn):
    again = RunLog(tmp_path, step=step)
    again.write({"event": "train", "step": drawn[-1], "loss": 0.5})
    again.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Tensors("train/loss")] == drawn


def test_curves_need_matplotlib(log, tmp_path, monkeypatch):
    assert plot_curves(log.path, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not plot_curves(log.path, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("metric, value, best, better", [
    ("loss", 1.0, 2.0, True), ("transcript/cer", 0.4, 0.3, False), ("phones/per", 0.2, 0.3, True),
    ("speaker/eer", 0.1, 0.2, True),
    ("keyword/accuracy", 0.9, 0.8, True), ("keyword/macro_f1", 0.7, 0.8, False), ("loss", float("nan"), None, False),
    ("keyword/accuracy", 0.1, None, True), ("loss", 1.0, 1.0, False)])
def test_is_better(metric, value, best, better):
    assert is_better(metric, value, best) == better
