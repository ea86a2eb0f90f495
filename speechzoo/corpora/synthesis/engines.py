"""The speech engines of this machine and their voices."""

import fnmatch
from collections import Counter
from collections.abc import Iterable

import numpy as np

from speechzoo.corpora.synthesis.engine import ENGINES, EngineError
from speechzoo.corpora.synthesis.espeak_ng import EspeakNg
from speechzoo.corpora.synthesis.festival import Festival
from speechzoo.corpora.synthesis.flite import Flite
from speechzoo.corpora.synthesis.piper import Piper
from speechzoo.corpora.synthesis.voice import Voice

__all__ = ["ENGINES", "EngineError", "EspeakNg", "Festival", "Flite", "Piper", "find_voices", "speak"]

_INSTALLERS = ("Debian and Ubuntu: apt install", "Fedora: dnf install", "Homebrew: brew install")


def find_voices(wanted: Iterable[str] = (), piper: Iterable[str] = ()) -> list[Voice]:
    """Every English voice of every engine that is installed.

    Args:
        wanted: Patterns such as `flite:*` or `espeak-ng:en-us+f?`; only voices that one of them matches. Empty: all.
        piper: Voice files of Piper, `.onnx`.

    Raises:
        EngineError: No engine is installed, or no voice matches; the message says what to install or what there is.
    """
    # By name: the order of voices must not depend on which engine was imported first.
    engines = [engine(tuple(piper)) if engine is Piper else engine() for _, engine in sorted(ENGINES.items())]
    voices = [voice for engine in engines for voice in engine.voices()]
    if not voices:
        packages = [" ".join(filter(None, names)) for names in zip(*(engine.packages for engine in engines))]
        installers = "; ".join(f"{installer} {names}" for installer, names in zip(_INSTALLERS, packages))
        raise EngineError(f"no speech engine is installed. One is enough, more are better. {installers}")
    wanted = list(wanted)
    chosen = [voice for voice in voices if not wanted or any(fnmatch.fnmatchcase(str(voice), item) for item in wanted)]
    if not chosen:
        counts = Counter(voice.engine for voice in voices)
        known = ", ".join(f"{count} such as {next(voice for voice in voices if voice.engine == engine)}"
                          for engine, count in counts.items())
        raise EngineError(f"no voice is called {' or '.join(wanted)}; there are {known}")
    return chosen


def speak(text: str, voice: Voice, rate: float) -> tuple[np.ndarray, int]:
    """Speaks a sentence with the voice's engine, see `Engine.speak`."""
    return ENGINES[voice.engine]().speak(text, voice, rate)
