import json
import sys

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
