"""The microphone, through the package sounddevice."""

import contextlib
import sys


def record(seconds: float, sample_rate: int):
    """float32 (samples,) from the default microphone."""
    with _sounddevice() as sounddevice:
        print(f"recording {seconds:g} s ...", file=sys.stderr, flush=True)
        audio = sounddevice.rec(int(seconds * sample_rate), samplerate=sample_rate, channels=1, dtype="float32")
        sounddevice.wait()
    return audio[:, 0]


def blocks(block_seconds: float, sample_rate: int):
    """float32 (samples,) again and again, from the default microphone, until interrupted."""
    with _sounddevice() as sounddevice:
        with sounddevice.InputStream(samplerate=sample_rate, channels=1, dtype="float32") as stream:
            while True:
                yield stream.read(round(block_seconds * sample_rate))[0][:, 0]


@contextlib.contextmanager
def _sounddevice():
    try:
        import sounddevice
    except ImportError:
        raise ImportError("the microphone needs the package sounddevice: pip install sounddevice") from None
    except OSError as error:  # its binding finds no PortAudio
        raise OSError(f"the microphone can't be used: {error}; install PortAudio") from None
    try:
        yield sounddevice
    except sounddevice.PortAudioError as error:
        raise OSError(f"the microphone can't be used: {error}") from None
