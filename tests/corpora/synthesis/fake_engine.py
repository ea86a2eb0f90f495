"""An engine without a program: a buzz with three formants, as long as the text wants."""

import numpy as np

from speechzoo.corpora.synthesis.engine import Engine, EngineError
from speechzoo.corpora.synthesis.voice import Voice

SAMPLE_RATE = 16000


def vowel(seconds, pitch=125.0, formants=(700.0, 1300.0, 2600.0)):
    """Harmonics under resonances of 100 Hz width, float32 (samples,); the period is a whole number of samples."""
    period = round(SAMPLE_RATE / pitch)
    frequency = np.fft.rfftfreq(period, 1 / SAMPLE_RATE)[:, np.newaxis]
    gain = np.sum(1 / (1 + ((frequency - np.array(formants)) / 100) ** 2), axis=1) + 0.003
    gain[0] = 0
    audio = np.fft.irfft(gain * np.exp(1j * frequency[:, 0]), period)
    return np.resize(0.3 * audio / np.abs(audio).max(), int(seconds * SAMPLE_RATE)).astype(np.float32)


class FakeEngine(Engine):
    """Six talkers in two accents each; refuses the word "unspeakable" and says nothing for "silence"."""

    program = "fake"
    packages = ("fake", "fake", None)

    def voices(self):
        return [Voice("fake", f"{accent}+{talker}", talker, accent, gender) for accent in ("en-gb", "en-us")
                for talker, gender in zip("abcdef", ("female", "male") * 3)]

    def speak(self, text, voice, rate):
        if "unspeakable" in text:
            raise EngineError("fake can't say that")
        seconds = 0.07 * len(text.replace(" ", "")) / rate
        audio = vowel(seconds, 100 + 10 * ord(voice.talker) % 100) * ("silence" not in text)
        return np.pad(audio, (3000, 5000)), SAMPLE_RATE
