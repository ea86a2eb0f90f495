"""The rows that benchmarks write fit the tables that pages show them in."""

import numpy as np
import pytest

from benchmarks.quality import few_shot, owner, rejection, results
from benchmarks.speed import decoders, inference, raspberry_pi
from speechzoo.decoding.commands.parse import Parse
from tools.figures import kept_rows, read_figures, write_figures
from tools.tables.plain import plain
from tools.tables.published import checkpoints
from tools.tables.results import heads_table


def test_inference_beside_onnx_runtime():
    times = {name: {str(length): [0.002 * length, 0.003] for length in inference.LENGTHS} for name in inference.NETWORKS}
    times["torch"] = {str(length): [0.004 * length] for length in inference.LENGTHS}
    rows = inference.figures_of(times, dict.fromkeys(inference.NETWORKS, 1e-6), {"onnx_float32": 12.9})
    lines = plain("inference", rows)
    # The best of two times: 2, 3 and 3 ms.
    assert lines[2] == "| PyTorch, float32 |  | 4.0 | 12.0 | 40.0 | 0.50 / 0.25 / 0.07 | 1e-06 |"
    assert lines[3] == "| ONNX Runtime, float32 | 12.9 | 2.0 | 3.0 | 3.0 | 1.00 / 1.00 / 1.00 | 1e-06 |"


def test_a_board_is_slower_than_this_machine():
    best = {"mobilenet": {"ms": 6.0, "seconds": 0.0}, "tiny none": {"ms": 0.5, "seconds": 0.16}}
    lines = plain("raspberry_pi", raspberry_pi.figures_of(best, {"mobilenet": 569.0, "tiny none": 95.4}))
    assert lines[2:] == ["| `MobileNet v1` | float32 |  |  | 6.00 | 300.0 |  |",
                         "| `tiny` | float32 | 95 | 160 | 0.50 | 25.0 | 16 % |"]


def test_owners_before_and_afterwards():
    # (owners, own or others', head, before or afterwards): of two owners one gains.
    rates = np.array([[[[0.2, 0.1], [0.3, 0.3]], [[0.4, 0.4], [0.5, 0.5]]],
                      [[[0.4, 0.5], [0.3, 0.1]], [[0.4, 0.2], [0.5, 0.5]]]])
    line = plain("owner", [owner.row_of("some", 5, rates)])[2]
    assert line == "| some | 5 | 2 | 30.0 %, 30.0 % | 30.0 %, 20.0 % | 1 | 40.0 %, 30.0 % | 50.0 %, 50.0 % |"


def test_words_at_both_thresholds():
    heard = {"own": [(np.array([0.9, 0.1]), 0), (np.array([0.2, 0.7]), 0)], "others": [(np.array([0.6, 0.1]), 0)],
             "wrong": [], "alarms": [(np.array([0.0, 0.9, 0.0]), 0.5)]}
    at = {name: few_shot.figures_at(heard, line) for name, line in (("default", 0.8), ("quiet", 0.5))}
    row = {"corpus": "a", "recordings": 5, "layer": "trained",
           **{f"{figure}_{name}": at[name][figure] for figure in at["default"] for name in at}}
    assert plain("few_shot", [row])[2] == (
        "| a | 5 | trained | 0.80; 0.50 | 50.0 %; 50.0 % | 0.0 %; 100.0 % |  | 2.00; 2.00 |")


def test_commands_rejected_and_other_speech_accepted():
    inside, understood = np.array([-1.0, -2.0, -3.0, -4.0]), np.array([True, False, True, True])
    row = rejection.row_at(-3.0, inside, understood, "librispeech", 0.01, 184)
    assert plain("rejection", [row])[2] == "| -3.000 | 4 | 50.0 % | 25.0 % | librispeech | 1.0 % | 184 |"


def answers(texts, seconds, start=1.0, **memory):
    return {"texts": texts, "seconds": [seconds] * len(texts), "start": start, "memory": {"opened": 50.0, **memory}}


def test_decoders_beside_faster_whisper(tmp_path):
    recordings = [{"speaker": speaker, "transcript": "go on"} for speaker in "aabb"]
    found = {decoders.THEIRS: ("go on", 1.2, 140.0), "speechzoo, dynamic": ("Go gone!", 0.3, 75.0)}
    found = {system: {"megabytes": megabytes, "words": answers([text] * 4, seconds),
                      "clips": {length: answers([text], seconds, 2.5, peak=120.0) for length in decoders.LENGTHS}}
             for system, (text, seconds, megabytes) in found.items()}
    rows = decoders.figures_of("tiny.en", found, recordings, 24.0)
    lines = plain("decoders", rows)
    assert lines[2] == ("| tiny.en | faster-whisper, int8 | 140.0 | 4 | 0.0 % | 0.0 % to 0.0 % | 0.200 | "
                        "1.0 / 1.0 / 1.0 / 1.0 | 120 / 120 / 120 / 120 | 2.5 |")
    assert lines[3] == ("| tiny.en | speechzoo, dynamic | 75.0 | 4 | 50.0 % | 50.0 % to 50.0 % | 0.050 | "
                        "4.0 / 4.0 / 4.0 / 4.0 | 120 / 120 / 120 / 120 | 2.5 |")
    stages = decoders.memory_rows("tiny.en", found)
    assert len(stages) == 8 and stages[0]["encoded"] is None and stages[0]["peak"] == 120.0
    write_figures(tmp_path / "decoders.csv", rows)
    assert checkpoints(tmp_path)[2] == ("| Whisper tiny.en | MIT |  / 75 | 5.6 % |  | 50.0 % (50.0 to 50.0) | "
                                        "0.0 % (0.0 to 0.0) | 0.050 |")
    assert kept_rows(tmp_path / "decoders.csv", [{"checkpoint": "base"}], "checkpoint") == read_figures(tmp_path / "decoders.csv")
    assert kept_rows(tmp_path / "decoders.csv", [{"checkpoint": "tiny.en"}], "checkpoint") == []
    assert kept_rows(tmp_path / "none.csv", [], "checkpoint") == []


def test_recordings_are_drawn_evenly_over_readers():
    recordings = [{"speaker": speaker, "transcript": str(number)} for speaker in "abc" for number in range(5)]
    first = decoders.drawn(recordings, 7)
    assert sorted(row["speaker"] for row in first) == ["a", "a", "a", "b", "b", "c", "c"]
    assert first == decoders.drawn(recordings, 7) and decoders.drawn(recordings, 99)[:7] == first


@pytest.fixture
def evaluated():
    """What `evaluate` says of a model with two heads."""
    return {"overall": {}, "_skipped": {}, "c": {
        "transcript": {"wer": 0.5, "wer_interval": [0.25, 0.75], "cer": 0.2, "n": 9}, "gender": {"accuracy": 0.9, "n": 7}}}


def test_heads_together_and_alone(evaluated):
    alone = {"c": {"transcript": {"wer": 0.4, "cer": 0.2, "n": 9}}}
    rows = (results.rows_of("m", "dictation", evaluated, None, metrics=("wer",))
            + results.rows_of("m", "together", evaluated, 2273) + results.rows_of("m", "alone", alone, 1200))
    found = {(row["run"], row["corpus"], row["head"], row["metric"]): row for row in rows}
    assert heads_table(evaluated, found)[0].endswith("| zoo | together, 2,273 steps | alone | its steps |")
    assert heads_table(evaluated, found)[2:] == [
        "| c | transcript | wer | 9 | 50.0 % (25.0 to 75.0) | 50.0 % (25.0 to 75.0) | 40.0 % | 1,200 |",
        "| c | transcript | wer, dictation | 9 | 50.0 % (25.0 to 75.0) |  |  |  |",
        "| c | **transcript** | cer | 9 | 20.0 % | 20.0 % | 20.0 % | 1,200 |",
        "| c | gender | accuracy | 7 | 90.0 % | 90.0 % | not trained |  |"]
    assert heads_table(evaluated, {})[2] == "| c | transcript | wer | 9 | 50.0 % (25.0 to 75.0) |"


def test_noises_that_become_commands_by_hand():
    """Nineteen of twenty commands score -0.5 at least; of two hours of noise one recording scores -0.4 and one is no speech."""
    class Commands:
        def __call__(self, outputs):
            return Parse(score=outputs["score"], accepted=outputs["score"] > -50)

    class Model:
        spec = {"sample_rate": 10}

        def batch_outputs(self, audios):
            return [{"score": float(audio[0])} for audio in audios]

    noises = {"rain": [np.full(36000, -0.4), np.full(18000, -2.0)], "hum": [np.full(18000, -60.0)]}
    inside = np.array([-0.5] * 19 + [-3.0])
    rows = rejection.count_commands(Model(), Commands(), inside, -2.5, noises)
    found = {(row["threshold"], row["noise"]): (row["kept"], row["commands"], row["commands_per_hour"]) for row in rows}
    assert found == {(-0.5, "rain"): (0.95, 1, 1 / 1.5), (-0.5, "hum"): (0.95, 0, 0.0), (-0.5, "together"): (0.95, 1, 0.5),
                     (-2.5, "rain"): (0.95, 2, 2 / 1.5), (-2.5, "hum"): (0.95, 0, 0.0), (-2.5, "together"): (0.95, 2, 1.0)}
    sounds = rejection.made_up_sounds(1000, 2)
    assert all(len(sound) == 5000 and np.isfinite(sound).all() for each in sounds.values() for sound in each)
