"""`speechzoo assistant` by text, and with a model that knows sounds by their loudness."""

import io
import json
import re

import numpy as np
import pytest

from speechzoo import opening
from speechzoo.cli import main
from speechzoo.dialogue import loudspeaker
from tests.dialogue.conversations import HOME
from tests.fake_model import FakeModel
from tests.helpers import write_wav
from tests.listening.test_listener import silence, sound

ROBOT = """
grammar: {intents: {halt: stop}}
states:
  robot: {answers: {halt: {say: "Shall I stop?", next: halting}}}
  halting: {answers: {yes: {do: stopNow, say: "I stopped."}, no: }}
"""


def assistant(monkeypatch, *options, text="", code=0):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(SystemExit) as ended:
        main(["assistant", *map(str, options)])
    assert ended.value.code == code


def test_by_text(monkeypatch, capsys, tmp_path):
    state = tmp_path / "state.json"
    assistant(monkeypatch, HOME, "--text", "--state", state, text="anna> set a timer\n\nturn off the light\n")
    lines = [re.sub(r"^ *[\d.]+ s ", "", line).strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["anna: set a timer  (100%)", "> For how long?", "anna: (silence)", "> For how long?",
                     "turn off the light  (100%)", "> In which room?"]
    assistant(monkeypatch, HOME, "--text", "--state", state, "--json", text="anna> ten minutes\nkitchen\nno the bedroom\n")
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["person"], answer["say"]) for answer in answers] == [
        ("anna", "The timer is set for ten minutes."), ("somebody", "The light is off in the kitchen."),
        ("somebody", "The light is off in the bedroom.")]
    assert answers[2]["action"] == {"name": "lightsOff", "slots": {"room": "bedroom"}, "corrects": True}


def test_with_a_recording(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(opening, "open_model", lambda name: FakeModel())
    (tmp_path / "robot.yaml").write_text(ROBOT)
    audio = np.concatenate([silence(1), sound(1), silence(1.5), sound(3), silence(1.5)])
    path = write_wav(tmp_path / "talk.wav", audio)
    assistant(monkeypatch, tmp_path / "robot.yaml", path)
    text = capsys.readouterr().out
    assert "> Shall I stop?" in text and "do: stopNow" in text and "> I stopped." in text


def test_the_microphone_without_a_voice_says_so_once(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(opening, "open_model", lambda name: FakeModel())
    monkeypatch.setattr("speechzoo.microphone.blocks", lambda *_: iter([silence(1), sound(1), silence(1.5)]))

    def missing(self):
        raise ImportError("speaking aloud needs the package sounddevice")

    monkeypatch.setattr(loudspeaker.Loudspeaker, "__init__", missing)
    monkeypatch.setattr("speechzoo.dialogue.speech.find_speech", lambda name, language: None)
    (tmp_path / "robot.yaml").write_text(ROBOT)
    assistant(monkeypatch, tmp_path / "robot.yaml", "--microphone")
    out, err = capsys.readouterr()
    assert "> Shall I stop?" in out and err == "speechzoo: speaking aloud needs the package sounddevice\n"
    assistant(monkeypatch, tmp_path / "robot.yaml", "--microphone", "--quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("options, message", [
    ((HOME,), "what shall the assistant listen to? Name one recording"),
    ((HOME, "a.wav", "--text"), "what shall the assistant listen to?"),
    ((HOME, "--text", "--quiet", "--say", "flite"), "give one of them"),
    ((HOME, "--microphone", "--barge-in"), "--barge-in takes a wake word"),
    (("lost.yaml", "--text"), "lost.yaml: no such file"),
    ((HOME, "--text", "--say", "espeek"), "no engine 'espeek'; did you mean 'espeak-ng'"),
])
def test_mistakes_are_one_line(options, message, monkeypatch, capsys):
    assistant(monkeypatch, *options, code=2)
    err = capsys.readouterr().err
    assert message in err and err.startswith("speechzoo: error: ") and err.count("\n") == 1
