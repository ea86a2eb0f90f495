import csv
import io
import json
import sys
import types

import numpy as np
import pytest

from speechzoo.cli import main
from speechzoo.decoding.recognition import Recognition
from speechzoo.text.ngram import build_ngram
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())


@pytest.fixture
def recordings(tmp_path):
    (tmp_path / "broken.wav").write_text("no recording")
    return [write_wav(tmp_path / "up.wav", tone(0.5) * 0.6), tmp_path / "broken.wav",
            write_wav(tmp_path / "stop.wav", tone(0.5) * 1.2)]


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_a_bad_file_costs_one_line(recordings, capsys):
    assert run("recognize", "fake", *recordings) == 2
    out, err = capsys.readouterr()
    assert "up.wav (0.5 s)" in out and "go up" in out and "stop" in out
    assert len(err.strip().splitlines()) == 1 and "broken.wav" in err


def test_json_lines(recordings, capsys):
    assert run("recognize", "fake", recordings[0], recordings[2], "--json", "--heads", "transcript,keyword") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.pop("audio") for line in lines] == [str(recordings[0]), str(recordings[2])]
    assert [line["transcript"] for line in lines] == ["go up", "stop"]
    assert set(lines[0]) == {"transcript", "words", "keyword", "confidence"}
    assert Recognition.from_dict(lines[0]).words[1].text == "up"


def test_dictation_finds_words_by_their_phones(recordings, tmp_path, capsys):
    (tmp_path / "words.dict").write_text("go G OW1\nup AH1 P\ngopher G OW1 F ER0\n")
    build_ngram(["go up", "up"], order=2).save(tmp_path / "words.arpa")
    options = ["--dictation", "--lexicon", tmp_path / "words.dict", "--lm", tmp_path / "words.arpa"]
    assert run("recognize", "fake", recordings[2], "--json", *options) == 0  # its letters say "stop", its phones "go up"
    line = json.loads(capsys.readouterr().out)
    assert line["transcript"] == "go up" and [word["start"] for word in line["words"]] == [0.0, 0.08]
    assert run("recognize", "fake", recordings[2], *options, "--beam", "4") == 2
    assert "leave them out with --dictation" in capsys.readouterr().err
    assert run("recognize", "fake", recordings[2], "--lexicon", "cmudict") == 2
    assert "add --grammar FILE or --dictation" in capsys.readouterr().err


def test_who_speaks_when(tmp_path, capsys, monkeypatch):
    """Two voices of the fake model, which are levels: 0.6 is the third, 0.2 the first; nothing says where it is quiet."""
    model, peak = FakeModel(), np.abs(tone(4.0)).max()
    model.spec = {**model.spec, "heads": {name: head for name, head in model.spec["heads"].items() if name != "speech"}}
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: model)
    path = write_wav(tmp_path / "talk.wav", np.concatenate([tone(4.0) / peak * 0.2, tone(4.0) / peak * 0.6]))
    assert run("recognize", "fake", path, "--speakers", "--json", "--heads", "transcript") == 0
    turns = json.loads(capsys.readouterr().out)["turns"]
    assert [turn["speaker"] for turn in turns] == ["speaker 1", "speaker 2"]
    assert turns[0]["start"] == 0.0 and turns[0]["end"] == turns[1]["start"] == pytest.approx(4.0, abs=1.1)
    assert turns[1]["end"] == pytest.approx(8.0)
    assert run("recognize", "fake", path, "--speakers", "--format", "csv", "--heads", "transcript") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["speaker"] == "speaker 1"


def test_microphone(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert run("recognize", "fake", "--microphone") == 2
    assert "pip install sounddevice" in capsys.readouterr().err

    class Device:
        PortAudioError = RuntimeError

        @staticmethod
        def rec(frames, samplerate, channels, dtype, device):
            if device not in (None, 1, "usb"):
                raise ValueError(f"No input device matching {device!r}")
            return (tone(frames / samplerate) * 0.6)[:, None]

        @staticmethod
        def wait():
            pass

        @staticmethod
        def query_devices():
            return [{"name": "loudspeaker", "max_input_channels": 0}, {"name": "usb microphone", "max_input_channels": 2}]

    monkeypatch.setitem(sys.modules, "sounddevice", Device)
    assert run("recognize", "fake", "--microphone", "--seconds", "0.5") == 0
    assert "microphone (0.5 s)" in capsys.readouterr().out
    assert run("microphones") == 0
    assert capsys.readouterr().out == "  1  usb microphone (2 channels)\n"
    for device, code in (("1", 0), ("usb", 0), ("attic", 2)):
        assert run("recognize", "fake", "--microphone", "--seconds", "0.5", "--device", device) == code
    assert "the microphone can't be used: No input device matching 'attic'" in capsys.readouterr().err


def test_nothing_to_do(capsys):
    assert run("recognize", "fake") == 2
    assert "nothing to recognise" in capsys.readouterr().err


def test_commands(recordings, tmp_path, capsys):
    (tmp_path / "moves.yaml").write_text("intents: {move: 'go {way}'}\nslots: {way: [up, down]}\n")
    assert run("recognize", "fake", recordings[0], recordings[2], "--json", "--grammar", tmp_path / "moves.yaml") == 0
    up, stop = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (up["intent"], up["slots"], stop["intent"], stop["slots"]) == ("move", {"way": "up"}, "none", {})


def test_no_model_is_waited_for_where_a_file_is_missing(recordings, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: pytest.fail("opened"))
    for options in (["--lm", "missing.arpa"], ["--words", "missing.txt"], ["--lexicon", "cmudict"]):
        assert run("recognize", "fake", recordings[0], *options) == 2
    assert capsys.readouterr().err.count("missing.") == 2


def write_long(path):
    """20 s of "stop", a pause, 20 s of "yes"."""
    stop, yes = (level * tone(20.0) / np.abs(tone(20.0)).max() for level in (0.4, 0.8))
    stop[-8000:] = yes[:8000] = 0
    return write_wav(path, np.concatenate([stop, yes]))


def test_long_recordings_become_subtitles_in_pieces(tmp_path, capsys):
    long = write_long(tmp_path / "film.wav")
    assert run("recognize", "fake", long, "--maximum-seconds", "30", "--format", "srt") == 0
    numbers, times, texts = zip(*(cue.splitlines() for cue in capsys.readouterr().out.strip().split("\n\n")))
    assert (numbers, texts) == (("1", "2"), ("stop", "yes")) and times[1].startswith("00:00:")
    assert 19 < float(times[1][6:12].replace(",", ".")) < 21
    assert run("recognize", "fake", long, "--maximum-seconds", "30", "--format", "csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["audio"], row["text"]) for row in rows] == [(str(long), "stop"), (str(long), "yes")]


def test_a_recording_on_standard_input(tmp_path, monkeypatch, capsys):
    """As `ffmpeg -f wav -` writes it to a pipe: sizes unknown."""
    data = bytearray(write_wav(tmp_path / "film.wav", tone(0.5) * 0.6).read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(bytes(data))))
    assert run("recognize", "fake", "-", "--format", "vtt") == 0
    assert capsys.readouterr().out.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.833\ngo up\n")


def test_many_recordings_are_written_once_and_failures_are_listed(recordings, tmp_path, capsys):
    folder, out = tmp_path / "calls", tmp_path / "out"
    (folder / "monday").mkdir(parents=True)
    for recording in recordings:
        recording.rename(folder / "monday" / recording.name)
    write_wav(folder / "yes.wav", tone(0.5) * 2.6)
    assert run("recognize", "fake", folder, "--out", out, "--format", "json") == 2
    printed = capsys.readouterr()
    assert printed.out == f"{out}: 3 written, 0 were there already, 1 failed\n"
    assert "4 of 4 recordings, 1 failed" in printed.err and "broken.wav" in printed.err
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == [
        "failed.jsonl", "monday/stop.wav.json", "monday/up.wav.json", "yes.wav.json"]
    assert json.loads((out / "yes.wav.json").read_text())["transcript"] == "yes"
    (failure,) = map(json.loads, (out / "failed.jsonl").read_text().splitlines())
    assert failure["audio"].endswith("broken.wav") and "broken.wav" in failure["error"]

    write_wav(folder / "monday" / "broken.wav", tone(0.5) * 1.2)
    before = (out / "yes.wav.json").stat().st_mtime_ns
    assert run("recognize", "fake", folder, "--out", out, "--format", "json") == 0
    assert capsys.readouterr().out == f"{out}: 1 written, 3 were there already, 0 failed\n"
    assert (out / "yes.wav.json").stat().st_mtime_ns == before and not (out / "failed.jsonl").exists()


@pytest.mark.parametrize("arguments, message", [
    ((), "name recordings, or add --files LIST or --microphone"),
    (("a.wav", "--workers", "2"), "--workers is for many recordings: add --out DIR"),
    (("-", "--out", "d"), "standard input have none"),
    (("a.wav", "--workers", "0", "--out", "d"), "expected a number of processes, got '0'"),
])
def test_what_does_not_go_together_is_refused(arguments, message, capsys):
    assert run("recognize", "fake", *arguments) == 2
    assert message in capsys.readouterr().err


def test_two_workers_write_what_one_does(tmp_path, monkeypatch):
    monkeypatch.undo()  # workers have a model of the zoo in any case
    (tmp_path / "in").mkdir()
    for number in range(3):
        write_wav(tmp_path / "in" / f"{number}.wav", tone(0.5, 200.0 + 100 * number))
    for workers in ("1", "2"):
        assert run("recognize", "mtl_ds_cnn_micro", tmp_path / "in", "--format", "json", "--out", tmp_path / workers,
                   "--workers", workers) == 0
    for number in range(3):
        one, two = ((tmp_path / workers / f"{number}.wav.json").read_text() for workers in ("1", "2"))
        assert one == two and json.loads(one)["audio"].endswith(f"{number}.wav")
