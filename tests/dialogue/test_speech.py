import sys
import types

import numpy as np
import pytest

from speechzoo.corpora.synthesis import engines
from speechzoo.corpora.synthesis.engine import EngineError
from speechzoo.dialogue import loudspeaker
from speechzoo.dialogue.speech import find_speech


@pytest.fixture
def spoken(monkeypatch):
    """What engines are asked to speak; `installed` are the only ones."""
    asked = types.SimpleNamespace(installed={"flite", "espeak-ng"}, calls=[])
    for name, engine in engines.ENGINES.items():
        monkeypatch.setattr(engine, "installed", lambda self, name=name: name in asked.installed)

    def speak(text, voice, rate):
        asked.calls.append((text, str(voice)))
        return np.zeros(100, np.float32), 16000

    monkeypatch.setattr(engines, "speak", speak)
    return asked


def test_the_first_engine_that_speaks_the_language(spoken):
    find_speech()("Good morning.")
    find_speech("flite:rms")("Hello.")
    find_speech(language="pt-BR")("Bom dia.")
    spoken.installed = {"flite"}
    find_speech()("Hi.")
    assert spoken.calls == [("Good morning.", "espeak-ng:en"), ("Hello.", "flite:rms"), ("Bom dia.", "espeak-ng:pt-br"),
                            ("Hi.", "flite:slt")]


def test_what_can_not_speak_says_what_to_do(spoken):
    with pytest.raises(EngineError, match="no engine 'espeek'; did you mean 'espeak-ng'"):
        find_speech("espeek")
    with pytest.raises(EngineError, match="flite speaks English only"):
        find_speech("flite", "de")
    with pytest.raises(EngineError, match="name it as piper:VOICE.onnx"):
        find_speech("piper")
    with pytest.raises(EngineError, match="lost.onnx: no such voice file"):
        find_speech("piper:lost.onnx")
    spoken.installed = set()
    with pytest.raises(EngineError, match="no speech engine is installed, .* apt install espeak-ng, or --quiet"):
        find_speech()
    with pytest.raises(EngineError, match="flite isn't installed: apt install flite"):
        find_speech("flite")


def test_the_loudspeaker(monkeypatch):
    calls = []
    fake = types.SimpleNamespace(play=lambda samples, rate: calls.append((len(samples), rate)),
                                 stop=lambda: calls.append("stop"), PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    speaker = loudspeaker.Loudspeaker()
    speaker.play(np.zeros(5, np.float32), 22050)
    speaker.stop()
    assert calls == [(5, 22050), "stop"]
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match="pip install sounddevice; or --quiet"):
        loudspeaker.Loudspeaker()
