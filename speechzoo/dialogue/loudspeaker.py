"""The loudspeaker, through the package sounddevice."""

import numpy as np


class Loudspeaker:
    """Plays while the program goes on.

    Raises:
        ImportError: The package `sounddevice` is missing.
        OSError: It finds no PortAudio.
    """

    def __init__(self):
        try:
            import sounddevice
        except ImportError:
            raise ImportError("speaking aloud needs the package sounddevice: pip install sounddevice; or --quiet"
                              ) from None
        except OSError as error:
            raise OSError(f"the loudspeaker can't be used: {error}; install PortAudio, or --quiet") from None
        self._sounddevice = sounddevice

    def play(self, samples: np.ndarray, sample_rate: int):
        """Begins to play float32 (samples,) at a sample rate, Hz; what was playing ends.

        Raises:
            OSError: It can't be used.
        """
        try:
            self._sounddevice.play(samples, sample_rate)
        except self._sounddevice.PortAudioError as error:
            raise OSError(f"the loudspeaker can't be used: {error}; choose another in the system's settings, or --quiet"
                          ) from None

    def stop(self):
        """Is silent at once."""
        self._sounddevice.stop()
