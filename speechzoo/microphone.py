"""The microphone, through the package sounddevice."""

import contextlib


def devices() -> list[tuple[int, str, int]]:
    """Number, name and channels of each microphone.

    Raises:
        ImportError: The package `sounddevice` is missing.
        OSError: No microphone can be used.
    """
    with _sounddevice() as sounddevice:
        return [(number, device["name"], device["max_input_channels"])
                for number, device in enumerate(sounddevice.query_devices()) if device["max_input_channels"]]


def record(seconds: float, sample_rate: int, device: str | None = None):
    """Records from a microphone.

    Args:
        seconds: How long.
        sample_rate: Hz.
        device: The microphone's number, or part of its name; the system's own choice when None.

    Returns:
        float32 (samples,).

    Raises:
        ImportError: The package `sounddevice` is missing.
        OSError: The microphone can't be used.
    """
    with _sounddevice() as sounddevice:
        audio = sounddevice.rec(int(seconds * sample_rate), samplerate=sample_rate, channels=1, dtype="float32",
                                device=_number(device))
        sounddevice.wait()
    return audio[:, 0]


def blocks(block_seconds: float, sample_rate: int, device: str | None = None):
    """float32 (samples,) of `block_seconds` each, from a microphone, until interrupted; arguments and errors as of
    `record`."""
    with _sounddevice() as sounddevice:
        with sounddevice.InputStream(samplerate=sample_rate, channels=1, dtype="float32",
                                     device=_number(device)) as stream:
            while True:
                yield stream.read(round(block_seconds * sample_rate))[0][:, 0]


def _number(device):
    return int(device) if device is not None and device.isdecimal() else device


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
    except (sounddevice.PortAudioError, ValueError) as error:  # ValueError: no such device, or several
        raise OSError(f"the microphone can't be used: {error}") from None
