"""What every speech engine has in common."""

import abc
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError, audio_info, load_audio
from speechzoo.corpora.synthesis.voice import Voice

#: Name -> engine class.
ENGINES: dict[str, type["Engine"]] = {}

# A sentence takes a second at most; an engine that hangs must not stop hours of work.
_TIMEOUT_SECONDS = 120


class EngineError(ValueError):
    """A sentence that an engine doesn't speak; the message says which engine and why."""


class Engine(abc.ABC):
    """A speech synthesiser that is installed on this machine.

    Attributes:
        program: The program that it runs.
        packages: Packages to install: on Debian and Ubuntu, Fedora, Homebrew; None where there is none.
    """

    program: str
    packages: tuple[str | None, str | None, str | None]

    @abc.abstractmethod
    def voices(self) -> list[Voice]:
        """English voices that are installed; none when the program isn't."""

    @abc.abstractmethod
    def speak(self, text: str, voice: Voice, rate: float) -> tuple[np.ndarray, int]:
        """Speaks a sentence.

        Args:
            text: Lower case letters, apostrophe and space.
            voice: One of `voices()`.
            rate: Speed, 1 is the voice's own.

        Returns:
            float32 (samples,) and the sample rate, Hz.

        Raises:
            EngineError: The engine fails, or says nothing.
        """

    def installed(self) -> bool:
        """Whether the program is there."""
        return shutil.which(self.program) is not None

    def run(self, *arguments: str, text: str = "") -> str:
        """Runs the program with `text` on its standard input; returns what it prints.

        Raises:
            EngineError: It fails or takes too long.
        """
        try:
            result = subprocess.run([self.program, *arguments], input=text.encode(), capture_output=True,
                                    timeout=_TIMEOUT_SECONDS, check=False)
        except FileNotFoundError:
            raise EngineError(f"{self.program} isn't installed") from None
        except subprocess.TimeoutExpired:
            raise EngineError(f"{self.program} took longer than {_TIMEOUT_SECONDS} s") from None
        if result.returncode:
            reason = result.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise EngineError(f"{self.program} ended with code {result.returncode}" + (reason and f": {reason}"))
        return result.stdout.decode(errors="replace")

    def record(self, *arguments: str, text: str) -> tuple[np.ndarray, int]:
        """Runs the program, which writes a WAV file where `{wav}` stands in `arguments` or `text`; returns its audio.

        Raises:
            EngineError: It fails, or writes no audio.
        """
        with tempfile.TemporaryDirectory(prefix="speechzoo-") as folder:
            path = Path(folder) / "speech.wav"
            self.run(*(argument.replace("{wav}", str(path)) for argument in arguments),
                     text=text.replace("{wav}", str(path)))
            return read_wav(path, self.program)


def read_wav(path: Path, program: str) -> tuple[np.ndarray, int]:
    """What an engine has written, at its own sample rate: float32 (samples,) and Hz."""
    try:
        sample_rate = audio_info(path).sample_rate
        return load_audio(path, sample_rate), sample_rate
    except AudioError as error:
        raise EngineError(f"{program} wrote no audio ({str(error).removeprefix(f'{path}: ')})") from None
