"""Bad input on the command line: one line on standard error that says what is wrong, exit code 2, and nothing lost."""

import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from speechzoo import registry
from speechzoo.cli import main
from tests.bad_recordings import RECORDINGS, make, make_all
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Every test runs in a folder of its own, with a recording, its manifest, texts, and a model without a network."""

    class Model(FakeModel):
        def answer(self, audio):
            return super().answer(np.clip(audio, -0.8, 0.8))

    for module in ("speechzoo.opening", "speechzoo.evaluation"):
        monkeypatch.setattr(f"{module}.open_model", lambda source: Model())
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "good.wav", tone(0.5))
    (tmp_path / "good.jsonl").write_text('{"audio": "good.wav", "keyword": "yes", "split": "dev"}\n')
    (tmp_path / "words.txt").write_text("go up\nstop\n")
    (tmp_path / "latin.txt").write_bytes("Äpfel".encode("latin-1"))
    (tmp_path / "empty.txt").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def check_one_line(capsys, message, *arguments):
    """The command ends with code 2 after one line that holds `message`; returns what it printed before."""
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("speechzoo") and err.count("\n") == 1 and message in err, err
    return out


# -- recordings -------------------------------------------------------------------------------------------------------

# Recognised in pieces, which takes a while: tests/decoding/test_pieces.py.
AT_ONCE = [name for name in RECORDINGS if name != "eight_hours.wav"]


@pytest.mark.parametrize("name", AT_ONCE)
def test_recognize(place, capsys, name):
    make(place, name)
    message = RECORDINGS[name][1]
    if message:
        check_one_line(capsys, f"{name}: {message}", "recognize", "fake", name)
    else:
        assert run("recognize", "fake", name) == 0
        assert name in capsys.readouterr().out


def test_recognize_goes_on_after_each_of_them(place, capsys):
    make_all(place)
    assert run("recognize", "fake", *AT_ONCE, "--json") == 2
    out, err = capsys.readouterr()
    bad = [name for name in AT_ONCE if RECORDINGS[name][1]]
    assert [line.split(": ")[2] for line in err.splitlines()] == bad
    assert [json.loads(line)["audio"] for line in out.splitlines()] == [name for name in AT_ONCE if name not in bad]


def test_a_part_of_a_long_recording_is_recognized(place, capsys):
    make(place, "eight_hours.wav")
    assert run("recognize", "fake", "eight_hours.wav", "--start", "28000", "--duration", "2") == 0
    assert "eight_hours.wav (2.0 s)" in capsys.readouterr().out


def test_evaluate_skips_and_lists_them(place, capsys):
    make_all(place)
    lines = [{"id": name, "audio": name, "keyword": "yes"} for name in RECORDINGS]
    Path("all.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run("evaluate", "fake", "--manifest", "all.jsonl", "--json", "out.json") == 0
    result = json.loads(Path("out.json").read_text())
    # The labels of a whole recording don't fit what is left of a truncated one.
    bad = {name for name, (_, _, message) in RECORDINGS.items() if message}
    assert {line.split(": ")[0] for line in result["_skipped"]["audio"]} == bad
    assert result["overall"]["keyword"]["n"] == len(RECORDINGS) - len(bad)
    assert f"skipped {len(bad)} recordings" in capsys.readouterr().out


def test_prepare_skips_and_lists_them(place, capsys):
    make_all(place / "folder")
    assert run("prepare", "folder", "--source", "folder", "--out", "out", "--workers", "1") == 0
    out = capsys.readouterr().out
    bad = [name for name, (contents, _, message) in RECORDINGS.items() if message and contents is not None]
    assert f"skipped {len(bad)}, listed in out/skipped.jsonl" in out and "a text file, not audio" in out
    assert len(Path("out/manifest.jsonl").read_text().splitlines()) == len(RECORDINGS) - 1 - len(bad)


# -- manifests --------------------------------------------------------------------------------------------------------

MANIFESTS = {
    "missing.jsonl": (None, "missing.jsonl: no such manifest"),
    "no_json.jsonl": ('{"audio": "good.wav"}\n{"audio": "good.wav"\n', "no_json.jsonl:2: not valid JSON"),
    "binary.jsonl": ("\0\1\2", "binary.jsonl:1: not valid JSON"),
    "same_id.jsonl": ('{"audio": "good.wav", "id": "a"}\n' * 2, "same_id.jsonl:2: id: 'a' is already the id of line 1"),
    "label.jsonl": ('{"audio": "good.wav", "gender": "femal"}', "label.jsonl:1: gender: unknown value 'femal'"),
    "no_audio.jsonl": ('{"keyword": "yes"}', "no_audio.jsonl:1: audio: missing"),
}
COMMANDS = {
    "evaluate": ("evaluate", "fake", "--manifest", "{}"),
    "prepare": ("prepare", "manifest", "--source", "{}", "--out", "out"),
    "train": ("train", "tiny.yaml", "data.train=[{{manifest: {}}}]", "--out", "out"),
    "ngram": ("ngram", "{}", "--out", "out.arpa"),
}
TINY = """
summary: One head.
frontend: {type: log_mel}
backbone: {type: ds_cnn, channels: 4, num_blocks: 1}
heads: {speaker: {type: speaker, embedding_size: 4}}
"""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(place, capsys, command, name):
    contents, message = MANIFESTS[name]
    if contents is not None:
        Path(name).write_text(contents)
    Path("tiny.yaml").write_text(TINY)
    if name == "missing.jsonl" and command == "prepare":
        message = "missing.jsonl: no such file or folder"
    check_one_line(capsys, message, *(argument.format(name) for argument in COMMANDS[command]))
    assert not Path("out.arpa").exists() and not Path("out/manifest.jsonl").exists()


@pytest.mark.parametrize("line, message", [
    ({"audio": "gone.wav", "keyword": "yes"}, "could not be used, the first: m.jsonl:1: gone.wav: no such file"),
    ({"record": {"shard": "good.wav", "offset": 10 ** 30, "length": 10 ** 30}, "keyword": "yes"},
     "good.wav: no record of"),
    ({"audio": "good.wav", "event": "thunder"}, "labels without a class: {'event': {'thunder': 1}}"),
    ({"audio": "good.wav"}, "no usable utterance has a label for"),
    ({"audio": "good.wav", "keyword": "yes", "start": 99}, "start is 99.00 s, the recording ends at 0.50 s"),
])
def test_evaluate_with_nothing_to_measure(place, capsys, line, message):
    Path("m.jsonl").write_text(json.dumps(line))
    check_one_line(capsys, message, "evaluate", "fake", "--manifest", "m.jsonl")


# -- what else is asked for -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, message", [
    ("recognize fake", "nothing to recognise"),
    ("recognize fake good.wav --heads mood", "no head 'mood'; it has: transcript"),
    ("recognize fake good.wav --heads ,", "argument --heads: expected names separated by commas"),
    ("recognize fake good.wav --maximum-seconds nan", "expected a number above 0, got 'nan'"),
    ("recognize fake good.wav --start -1", "start must be 0 seconds or more"),
    ("recognize fake good.wav --lm good.wav", "good.wav: not an ARPA file"),
    ("recognize fake good.wav --words latin.txt", "latin.txt:1: not UTF-8; if it is Latin-1"),
    ("recognize fake good.wav --loud", "unrecognized arguments: --loud; see speechzoo recognize --help"),
    ("recognize", "the following arguments are required: MODEL"),
    ("evaluate fake --manifest good.jsonl --heads mood", "no head 'mood'"),
    ("evaluate fake --manifest good.jsonl --split test", "good.jsonl: no utterance of split test"),
    ("evaluate fake --manifest empty.txt", "empty.txt: no utterance in it"),
    ("evaluate fake --dev .", "knows no dev sources"),
    ("ngram nowhere.txt --out lm.arpa", "nowhere.txt: no such file"),
    ("ngram latin.txt --out lm.arpa", "latin.txt:1: not UTF-8; if it is Latin-1"),
    ("ngram empty.txt --out lm.arpa", "no words to estimate"),
    ("ngram folder --out lm.arpa", "folder: is a directory"),
    ("ngram words.txt --order 0 --out lm.arpa", "order of an n-gram model is 1 or more"),
    ("prepare folder --source nowhere --out out", "nowhere: no such file or folder"),
    ("prepare folder --source folder --out out", "folder: no WAV, FLAC, OGG or MP3 file in it"),
    ("prepare foldr --source folder --out out", "unknown corpus 'foldr'; did you mean 'folder'"),
    ("prepare librispeech --source folder --out out", "folder"),
    ("prepare folder --source . --out out --lexicon nowhere.txt", "nowhere.txt: no such lexicon"),
    ("prepare folder --source . --out out --hold-out 2", "hold_out must be"),
    ("prepare folder --source . --out out --option labl=x", "did you mean 'label'"),
    ("show nothing", "no model 'nothing' in the zoo"),
    ("show --head mood", "no model of the zoo has a head 'mood'; heads: "),
    ("benchmark fake --seconds nan", "'nan' is not a list of numbers above 0"),
    ("train nothing --out out", "no model 'nothing' in the zoo"),
    ("train latin.txt --out out", "no model 'latin.txt' in the zoo"),
    ("train mtl_ds_cnn_micro --out out training.epoch=3", "unknown key 'epoch'; did you mean 'epochs'"),
    ("train mtl_ds_cnn_micro --out out --heads mood", "no head 'mood'"),
    ("train mtl_ds_cnn_micro --out out training.epochs", "override 'training.epochs' is not key=value"),
    ("train mtl_ds_cnn_micro --out out --epochs=3", "speechzoo train: error: unrecognized arguments: --epochs=3"),
    ("tarin mtl_ds_cnn_micro", "invalid choice: 'tarin'"),
    ("", "the following arguments are required: COMMAND"),
])
def test_arguments(place, capsys, arguments, message):
    check_one_line(capsys, message, *arguments.split())


def test_lists_may_stand_after_options(place, capsys):
    assert run("recognize", "fake", "--json", "good.wav", "--heads", "keyword", "good.wav") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run("ngram", "--order", "2", "words.txt", "--out", "lm.arpa", "words.txt") == 0
    assert "4 sentences" in capsys.readouterr().out


def test_cmudict_that_is_not_installed(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    check_one_line(capsys, "needs the package pocketsphinx: pip install 'speechzoo[lexicon]'",
                   "prepare", "folder", "--source", ".", "--out", "out", "--lexicon", "cmudict")


@pytest.mark.parametrize("command", [
    ("recognize", "run", "good.wav"), ("evaluate", "run", "--manifest", "good.jsonl"), ("benchmark", "run"),
    ("export", "run", "--out", "out"),
    ("train", "run/config.yaml", "--out", "out", "--weights", "run/final.weights.h5"),
])
def test_truncated_weights(place, capsys, monkeypatch, command):
    for module in ("speechzoo.opening", "speechzoo.evaluation"):
        monkeypatch.setattr(f"{module}.open_model", registry.load)
    Path("run").mkdir()
    Path("run/config.yaml").write_text(TINY + "data: {train: [{manifest: ../train.jsonl}]}")
    Path("run/final.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    Path("train.jsonl").write_text('{"audio": "good.wav", "speaker": "a"}\n{"audio": "good.wav", "speaker": "b"}\n')
    check_one_line(capsys, "run/final.weights.h5: truncated, damaged or no weights file", *command)


@pytest.mark.parametrize("contents, message", [
    (b"", "x.tflite: empty"), (b"hello", "x.tflite: not a TFLite file"), (b"\0\0\0\0TFL3", "x.tflite: holds no spec"),
    (None, "x.tflite: no such file"),
])
@pytest.mark.parametrize("command", [("recognize", "x.tflite", "good.wav"), ("benchmark", "x.tflite")])
def test_damaged_tflite_file(place, capsys, monkeypatch, command, contents, message):
    from speechzoo.edge.edge_model import EdgeModel

    monkeypatch.setattr("speechzoo.opening.open_model", EdgeModel)
    if contents is not None:
        Path("x.tflite").write_bytes(contents)
    check_one_line(capsys, message, *command)


# -- what is written --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, message", [
    ("evaluate fake --manifest good.jsonl --json folder", "folder: is a directory"),
    ("evaluate fake --manifest good.jsonl --json no/out.json", "no/out.json: no such file or directory"),
    ("evaluate fake --manifest good.jsonl --json good.wav/out.json", "good.wav/out.json: not a directory"),
    ("evaluate fake --manifest good.jsonl --predictions folder", "folder: is a directory"),
    ("benchmark fake --json no/out.json", "no/out.json: no such file or directory"),
    ("ngram words.txt --out folder", "folder: is a directory"),
    ("prepare manifest --source good.jsonl --out good.wav", "good.wav: is a file; give a folder"),
    ("prepare manifest --source good.jsonl --out good.wav/out", "good.wav/out/.partial: not a directory"),
    ("train tiny.yaml --out good.wav", "good.wav: is a file; give a folder"),
])
def test_places_that_can_not_be_written(place, capsys, monkeypatch, arguments, message):
    measured = []
    for name in ("opening", "evaluation"):
        monkeypatch.setattr(f"speechzoo.{name}.open_model", lambda source: measured.append(source))
    Path("tiny.yaml").write_text(TINY)
    check_one_line(capsys, message, *arguments.split())
    assert not measured  # it was noticed before the work, not after


@needs_dev_full
@pytest.mark.parametrize("option", ["--json", "--predictions"])
def test_evaluate_on_a_full_disk(place, capsys, option):
    out = check_one_line(capsys, "/dev/full: no space left on device",
                         "evaluate", "fake", "--manifest", "good.jsonl", option, "/dev/full")
    assert option == "--predictions" or "accuracy" in out  # the table is there already


@pytest.mark.parametrize("arguments, path", [
    ("evaluate fake --manifest good.jsonl --json old", "old"),
    ("ngram words.txt --out old", "old"),
    ("prepare manifest --source good.jsonl --out folder", "folder/.partial/shard-00000.tfrecord"),
])
def test_a_full_disk_keeps_what_was_there(place, capsys, monkeypatch, arguments, path):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("old").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    before = {item.name for item in place.iterdir()}
    check_one_line(capsys, f"{path}: no space left on device", *arguments.split())
    assert Path("old").read_text() == "old" and {item.name for item in place.iterdir()} == before
