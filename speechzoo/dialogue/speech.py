"""Voices of the assistant: the speech engines of the operating system."""

from collections.abc import Callable

import numpy as np

from speechzoo.corpora.synthesis import engines
from speechzoo.corpora.synthesis.engine import EngineError
from speechzoo.corpora.synthesis.voice import Voice
from speechzoo.names import nearest
from speechzoo.text.language import primary_language

Speech = Callable[[str], tuple[np.ndarray, int]]
"""`Speech` makes a text audible: float32 (samples,) and the sample rate, Hz."""
_FLITE_VOICE = "slt"
REMEDY = ("no speech engine is installed, so replies are only written; apt install espeak-ng, or --quiet to have this "
          "line away")
"""`REMEDY` is what to do where nothing can speak."""


def find_speech(name: str | None = None, language: str = "en") -> Speech:
    """What speaks.

    Args:
        name: `espeak-ng`, `flite`, or `piper:VOICE.onnx`; with a voice of theirs behind a colon, as in `flite:rms`. The
            first that is installed and speaks the language when None.
        language: Language tag of what is said.

    Raises:
        EngineError: No such engine or voice, none is installed, or it doesn't speak the language.
    """
    if name is None:
        installed = [engine for engine in ("espeak-ng", "flite") if engines.ENGINES[engine]().installed()
                     and (engine != "flite" or primary_language(language) == "en")]
        if not installed:
            raise EngineError(REMEDY)
        name = installed[0]
    kind, _, voice = name.partition(":")
    if kind not in ("espeak-ng", "flite", "piper"):
        raise EngineError(f"no engine '{kind}'; {nearest(kind, ('espeak-ng', 'flite', 'piper:VOICE.onnx'))}")
    if kind == "piper":
        if not voice:
            raise EngineError("piper speaks from a voice file: name it as piper:VOICE.onnx")
        chosen = engines.Piper((voice,)).voices()[0]
    elif not engines.ENGINES[kind]().installed():
        raise EngineError(f"{kind} isn't installed: apt install {kind}")
    elif kind == "flite":
        if primary_language(language) != "en":
            raise EngineError(f"flite speaks English only, and the dialogue is in '{language}'; espeak-ng speaks more")
        chosen = Voice("flite", voice or _FLITE_VOICE, voice or _FLITE_VOICE)
    else:
        chosen = Voice("espeak-ng", voice or language.lower(), voice or language, language)
    return lambda text: engines.speak(text, chosen, 1.0)
