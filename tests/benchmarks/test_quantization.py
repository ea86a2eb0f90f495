"""benchmarks/quality/quantization.py: which utterances are taken, and what the tables say of the results."""

import pytest

from benchmarks.quality import quantization
from speechzoo.config import SourceConfig
from speechzoo.data.manifest import read_manifest, write_manifest
from tools.figures import write_figures
from tools.tables import quantization as tables


def row(quantize="none", calibration="chosen", **heads):
    heads = {"phones": {"per": 0.4, "n": 50}, "keyword": {"accuracy": 0.9, "n": 200},
             "slots": {"f1": 0.8, "accuracy": 0.7, "n": 40}, **heads}
    return {"model": "tiny", "format": quantize, "calibration": calibration, "seconds": 600.0, "file": "x.tflite",
            "size_mb": 1.234, "peak_memory_mb": 60.0, "heads": heads}


def test_utterances_are_taken_at_even_steps_of_one_split(tmp_path):
    write_manifest(tmp_path / "m.jsonl", [{"id": f"{number}", "audio": f"{number}.wav", "duration": 2.0,
                                           "split": "dev" if number % 2 else "train"} for number in range(40)])
    source = SourceConfig(str(tmp_path / "m.jsonl"), "dev", labels=["keyword"])
    taken = quantization.take(source, tmp_path, "dev_0", seconds=10.0)
    assert taken.split is None and taken.labels == ["keyword"]
    utterances = read_manifest(taken.manifest)
    assert [utterance["id"] for utterance in utterances] == ["1", "9", "17", "25", "33"]
    assert utterances[1]["audio"] == str(tmp_path.resolve() / "9.wav")
    assert len(read_manifest(quantization.take(source, tmp_path, "dev_1", count=7).manifest)) == 7
    assert len(read_manifest(quantization.take(source, tmp_path, "dev_2").manifest)) == 20


def by_format(*results):
    return tables.by_format(quantization.head_rows(results), "format")


def test_a_loss_is_an_error_that_grows_or_an_accuracy_that_falls():
    rows = by_format(row(), row("int8", phones={"per": 0.41, "n": 50}, keyword={"accuracy": 0.892, "n": 200}))
    assert tables.points_lost(rows, "int8", ("phones", "per")) == pytest.approx(1.0)
    assert tables.points_lost(rows, "int8", ("keyword", "accuracy")) == pytest.approx(0.8)
    lines = tables.heads_table(rows)
    assert "| phones | per | 50 | 40.0 % | +1.0 ▲ |" in lines and "| keyword | accuracy | 200 | 90.0 % | -0.8 ▲ |" in lines
    assert "| slots | f1 | 40 | 80.0 % | +0.0 |" in lines and len(lines) == 5


def test_a_section_per_model(tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "latencies", lambda rows: dict.fromkeys(rows, 3.21))
    results = [row(), row("int8", keyword={"accuracy": 0.89, "n": 200}), row("int8", "bundled")]
    write_figures(tmp_path / "quantization.csv", quantization.head_rows(results))
    write_figures(tmp_path / "quantization_costs.csv", quantization.cost_rows(results))
    lines = tables.sections(tmp_path)
    assert lines[0] == "### tiny"
    assert "| float32 | 1.23 MB | 3.2 ms | 60 MB |  |" in lines
    assert "| int8 | 1.23 MB | 3.2 ms | 60 MB | keyword accuracy: 1.0 |" in lines
    assert "| the recordings that come with the package | +0.0 | +0.0 | +0.0 |" in lines


def test_models_that_are_not_measured_keep_their_figures(tmp_path):
    path = tmp_path / "quantization.csv"
    other = {**row(), "model": "another"}
    write_figures(path, quantization.head_rows([other, row(keyword={"accuracy": 0.5, "n": 200})]))
    rows = quantization.with_others(path, quantization.head_rows([row()]))
    assert rows == quantization.head_rows([other, row()])
    assert quantization.with_others(tmp_path / "none.csv", rows[:1]) == rows[:1]
