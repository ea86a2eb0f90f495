"""A kind of head that speechzoo doesn't have, through everything that a head goes through.

What it takes is one file for the head, one for its answers, and their names in the registries: if some place asked for
types by name, or took an unknown kind for another one, it would fail here.
"""

import json
import zipfile

import numpy as np
import pytest

from speechzoo.cli import main
from speechzoo.config import SourceConfig, load_config
from speechzoo.decoding.answers import ANSWERS
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.evaluation import evaluate
from speechzoo.exporters.parity import measure_parity
from speechzoo.exporters.served.graph_decoding import GRAPH_ANSWERS
from speechzoo.exporters.served.saved_model import export_saved_model
from speechzoo.exporters.tflite import export_tflite
from speechzoo.heads import HEADS
from speechzoo.registry import load
from speechzoo.serving.signatures import output_names
from speechzoo.training.run_log import read_log
from speechzoo.training.trainer import train
from tests.helpers import check_head, tone, write_wav
from tests.new_kind.loudness_answer import LoudnessAnswer, answer_in_graph
from tests.new_kind.loudness_head import LoudnessHead

CONFIG = """
summary: How loud it is, and a keyword beside it.
frontend: {type: log_mel, num_mel_bins: 16}
backbone: {type: ds_cnn, channels: 8, num_blocks: 1}
heads:
  loudness: {type: loudness}
  keyword: {type: classifier, classes: [low, high]}
data:
  train: [{manifest: tones.jsonl, split: train}]
  seconds_per_batch: 2.4
  bucket_seconds: [0.6]
training: {epochs: 1, learning_rate: 0.01, warmup_steps: 1}
"""
SOUNDS = [tone(0.5, 300, seed=1), tone(0.4, 900, seed=2)]
LEVELS = [-6.5, -12.25, -20.0, -31.75]


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HEADS, "loudness", LoudnessHead)
        patch.setitem(ANSWERS, "loudness", LoudnessAnswer())
        patch.setitem(GRAPH_ANSWERS, "loudness", answer_in_graph)
        yield


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """8 tones, the last two without a level: one says a word where a level should be."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = []
    for number in range(8):
        level = LEVELS[number % 4]
        write_wav(folder / f"{number}.wav", 3 * 10 ** (level / 20) * tone(0.5, (300, 900)[number % 2]))
        label = {"loudness": level} if number < 6 else {"loudness": "loud"} if number == 6 else {}
        lines.append({"id": f"tone_{number}", "audio": f"{number}.wav", "duration": 0.5, "split": "train",
                      "keyword": ("low", "high")[number % 2], **label})
    (folder / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "tones.jsonl"


@pytest.fixture(scope="module")
def run(manifest):
    """A training run of two batches."""
    (manifest.parent / "tiny.yaml").write_text(CONFIG)
    result = train(manifest.parent / "tiny.yaml", manifest.parent / "run")
    assert (result.ended, result.step) == ("finished", 2)
    return result.output


@pytest.fixture(scope="module")
def model(run):
    return load(str(run))


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Quantization -> what was exported."""
    folder = tmp_path_factory.mktemp("exports")
    return {quantize: export_tflite(model, folder, quantize, representative=SOUNDS) for quantize in ("none", "int8")}


def cli(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def level_of(model, audio):
    """What the head itself gives."""
    return float(model.batch_outputs([audio])[0]["loudness"][0])


def test_the_shared_checks_of_heads():
    check_head(LoudnessHead, {"scale": 4.0}, [-3.5, -20, -7.25, -40.0], (4, 1))


def test_targets_are_the_levels_of_the_manifest(model, manifest):
    from speechzoo.data.batching import BatchPlan

    plan = BatchPlan([SourceConfig(str(manifest))], load_config(manifest.parent / "tiny.yaml").data, model.heads)
    rows = {}
    for batch in plan.sequential():
        targets, weights = plan.targets(batch)
        rows.update({name: (float(level), float(weight)) for name, level, weight
                     in zip(plan.ids(batch), targets["loudness"], weights["loudness"]) if name not in rows})
    assert [rows[f"tone_{number}"] for number in range(8)] == [(LEVELS[number % 4], 1.0) for number in range(6)] + [
        (0.0, 0.0)] * 2
    assert sum(plan.examples.unused_labels["loudness"].values()) == 1


def test_training_moves_the_head(run):
    record, = [record for record in read_log(run / "log.jsonl") if record["event"] == "train"]
    assert 0 < record["loudness/loss"] < np.inf
    weights = load(str(run)).heads["loudness"].level.get_weights()
    assert np.abs(weights[1]).max() > 0  # the bias began at zero


@pytest.mark.parametrize("what", ["run", "none", "int8"])
def test_it_is_evaluated(what, run, exported, manifest):
    source = run if what == "run" else exported[what].path
    result = evaluate(str(source), manifest)
    model = load(str(run)) if what == "run" else EdgeModel(source)
    errors = []
    for number in range(6):
        answer = model.recognize(manifest.parent / f"{number}.wav").labels["loudness"]
        errors.append(abs(answer - LEVELS[number % 4]))
    figures = result["overall"]["loudness"]
    assert figures == {"mean_absolute_error": pytest.approx(np.mean(errors), abs=0.01), "n": 6}
    assert result["_skipped"]["labels"] == {"loudness": {"loud": 1}} and result["overall"]["keyword"]["n"] == 8


def test_parity_has_its_own_distance(model, exported):
    rows = {row.head: row for row in exported["int8"].parity}
    assert rows["loudness"].measure == "share of the scale" and rows["loudness"].tolerance == 0.05
    assert rows["keyword"].measure == "probability lost"
    assert {row.measure for row in exported["none"].parity} == {"difference"}
    spec = {"heads": {"loudness": model.spec["heads"]["loudness"]}}
    row, = measure_parity([{"loudness": np.array([-20.0])}], [{"loudness": np.array([-26.0])}], spec, "int8")
    assert row.value == pytest.approx(0.1) and row.changed == 1 and not row.passed
    broken, = measure_parity([{"loudness": np.array([-20.0])}], [{"loudness": np.array([np.nan])}], spec, "int8")
    assert not broken.passed


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_file_answers_and_lists_its_labels(quantize, model, exported):
    path = exported[quantize].path
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels/loudness.txt").decode() == "level in dB\n"
    recognition = EdgeModel(path).recognize(SOUNDS[0])
    assert recognition.labels["loudness"] == pytest.approx(level_of(model, SOUNDS[0]),
                                                           abs=1e-3 if quantize == "none" else 3.0)
    assert recognition.keyword in ("low", "high") and "loudness" not in recognition.confidence


def test_recognitions_keep_the_number(model):
    recognition = model.recognize(SOUNDS[0])
    level = level_of(model, SOUNDS[0])
    assert recognition.answer("loudness") == pytest.approx(level, abs=1e-3)
    assert json.loads(json.dumps(recognition.to_dict()))["labels"]["loudness"] == pytest.approx(level, abs=1e-3)
    assert f"{recognition.labels['loudness']:g}" in str(recognition)


def test_it_is_served(model, tmp_path):
    pytest.importorskip("requests")
    pytest.importorskip("tensorflow_serving")
    from speechzoo.exporters.served.served_model import ServedModel
    from speechzoo.serving import Client
    from tests.serving.stand_in import StandIn

    folder = export_saved_model(model, tmp_path, SOUNDS, name="tiny").path
    assert {"loudness", "loudness_raw"} <= set(output_names(model.spec))
    with ServedModel(folder) as served:
        audio, length = SOUNDS[0][None], np.array([len(SOUNDS[0])], np.int32)
        outputs = served.run("serving_default", {"audio": audio, "audio_length": length})
        assert set(outputs) == set(output_names(model.spec))
        assert outputs["loudness"].tolist() == pytest.approx([level_of(model, SOUNDS[0])], abs=1e-3)
    with StandIn({"tiny": folder.parent}, warm_up=False) as server:
        for protocol in ("rest", "grpc"):
            with Client(getattr(server, f"{protocol}_url"), "tiny", protocol) as client:
                got = [result.labels["loudness"] for result in client.recognize_batch(SOUNDS)]
                assert got == pytest.approx([level_of(model, audio) for audio in SOUNDS], abs=1e-3)


def test_the_commands_know_it(run, exported, manifest, tmp_path, capsys):
    path = exported["none"].path
    assert cli("show", path) == 0
    assert "loudness, a level within 60 dB" in " ".join(capsys.readouterr().out.split())
    assert cli("recognize", path, manifest.parent / "0.wav", "--json") == 0
    answer = json.loads(capsys.readouterr().out)["labels"]["loudness"]
    assert cli("recognize", path, manifest.parent / "0.wav", "--heads", "loudness") == 0
    assert float(capsys.readouterr().out.split()[-1]) == pytest.approx(answer, abs=1e-3)
    figures = tmp_path / "figures.json"
    assert cli("evaluate", run, "--manifest", manifest, "--json", figures) == 0
    error = json.loads(figures.read_text())["overall"]["loudness"]["mean_absolute_error"]
    table = capsys.readouterr().out
    assert f"{error:.3f} dB" in table and "labels that head 'loudness' has no class for: loud 1" in table


def test_without_its_answers_the_head_is_an_error(model, monkeypatch):
    monkeypatch.delitem(ANSWERS, "loudness")
    with pytest.raises(ValueError, match="unknown head type 'loudness'; this version reads ctc"):
        model.recognize(SOUNDS[0])
