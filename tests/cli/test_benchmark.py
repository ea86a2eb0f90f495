"""`speechzoo benchmark` and the count of multiply-accumulates."""

import json

import numpy as np
import pytest

from speechzoo.cli import main
from speechzoo.exporters.network.flatbuffer import count_operators
from speechzoo.exporters.network.macs import count_tflite_macs
from speechzoo.multitask.macs import count_macs
from speechzoo.profiling.operators import operators_of
from tests.exporters.tiny_tflite import tiny_tflite
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_tflite(tmp_path_factory).path


def test_figures_of_a_tflite_file(path, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["benchmark", str(path), "--seconds", "0.5,1", "--threads", "1", "--repeats", "4",
              "--json", str(tmp_path / "b.json")])
    assert exit_code.value.code == 0
    figures = json.loads((tmp_path / "b.json").read_text())
    assert [(row["seconds"], row["threads"]) for row in figures["timings"]] == [(0.5, 1), (1.0, 1)]
    for row in figures["timings"]:
        assert 0 < row["median_ms"] <= row["p95_ms"] and row["startup_seconds"] > 0
        assert 10 < row["peak_memory_mb"] < 1000
        # Both are rounded, to 0.01 ms and to 0.00001.
        assert row["real_time_factor"] == pytest.approx(row["median_ms"] / 1000 / row["seconds"], abs=2e-5)
    assert figures["size_mb"] == pytest.approx(path.stat().st_size / 1e6, abs=1e-3)
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize(("arguments", "message"), [
    (["nothing.tflite"], "no such file"), (["mtl_conformer_smal"], "did you mean 'mtl_conformer_small'"),
    (["mtl_conformer_small", "--operators"], "operators are those of a .tflite file")])
def test_wrong_models_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["benchmark", *arguments])
    assert exit_code.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--seconds", "0"], ["--threads", "one"]])
def test_wrong_numbers_are_refused(path, option, capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["benchmark", str(path), *option])
    assert exit_code.value.code == 2 and "list of numbers" in capsys.readouterr().err


def test_time_by_operator(path, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["benchmark", str(path), "--seconds", "0.5", "--repeats", "2", "--operators",
              "--json", str(tmp_path / "b.json")])
    assert exit_code.value.code == 0
    rows = json.loads((tmp_path / "b.json").read_text())["operators"]
    times = [row["milliseconds"] for row in rows]
    assert times == sorted(times, reverse=True) and times[0] > 0
    in_file = count_operators(path.read_bytes())
    assert {row["name"]: row["count"] for row in rows}["CONV_2D"] == in_file["CONV_2D"]
    said = capsys.readouterr().out
    assert all(f" {row['name']} " in said for row in rows) and f"together {sum(row['count'] for row in rows):6d}" in said


def test_an_operator_alone_gives_what_it_gives_in_the_network(path):
    names = set()
    for name, make, expected in operators_of(path, 0.5):
        interpreter = make(2)
        interpreter.invoke()
        outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
        for output, value in zip(outputs, 2 * expected, strict=True):
            np.testing.assert_allclose(output, value, rtol=1e-4, atol=1e-4, err_msg=name)
        names.add(name)
    assert {"CONV_2D", "FULLY_CONNECTED", "SOFTMAX", "BATCH_MATMUL"} <= names


def test_macs_are_those_of_the_layers():
    """Counted by hand for the tiny Conformer: 100 frames of 16 mel bins, subsampled to 25 frames of 16 channels."""
    frames, hidden, size, inner = 100, 25, 16, 64
    frontend = frames * (2 * 200 * 257 + 257 * 16)
    subsampling = 50 * 8 * 8 * 9 + 25 * 4 * 8 * (9 + 8) + hidden * (4 * 8) * size
    feed_forward = 2 * 2 * hidden * size * inner
    positions = 2 * hidden - 1
    attention = (4 * hidden + positions) * size * size + hidden * (hidden + positions + hidden) * size
    convolution = hidden * (size * 2 * size + 9 * size + size * size)
    block = feed_forward + attention + convolution
    total = count_macs(tiny_model(), 1.0)
    heads = total - frontend - subsampling - block
    # The heads: at least their output layers, at most a few dense layers of 16 x 128 a frame.
    letters = len(tiny_model().spec["heads"]["letters"]["units"]) + 1
    assert hidden * size * letters < heads < 7 * hidden * 4 * 16 * 128


def test_a_file_counts_as_its_model(path):
    np.testing.assert_allclose(count_tflite_macs(path, 1.3), count_macs(tiny_model(), 1.3), rtol=0.01)
