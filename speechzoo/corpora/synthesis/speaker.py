"""A synthetic speaker: a voice whose vocal tract, pitch and pace were changed."""

import hashlib
from dataclasses import dataclass

import numpy as np

from speechzoo.audio import SAMPLE_RATE, resample
from speechzoo.corpora.synthesis import engines
from speechzoo.corpora.synthesis.engine import EngineError
from speechzoo.corpora.synthesis.voice import Voice
from speechzoo.corpora.synthesis.warping import warp_envelope
from speechzoo.data.trimming import speech_bounds

#: Speakers made of each voice.
SPEAKERS_PER_VOICE = 16
# Vocal tracts of adults differ by 30 % (12 to 18 cm); pitch follows the tract, and varies by itself.
_WARP, _PITCH, _RATE = np.log((0.85, 1.18)), np.log((0.88, 1.14)), np.log((0.8, 1.25))
# Between these a voice keeps the gender that it was made with beyond doubt.
_SAME_GENDER = (0.92, 1.09)
# From one sentence to the next.
_PITCH_CHANGE, _RATE_CHANGE = 0.04, 0.08
# An engine that stumbles leaves words out, or spells them.
_SECONDS_PER_LETTER = (0.025, 0.25)
_LEVEL_DB, _MAXIMUM_PEAK = -26.0, 0.9
# What recordings have where nobody speaks, and engines don't, dBFS.
_NOISE_DB = (-85.0, -60.0)
_MAXIMUM_SILENCE = 0.3


@dataclass(frozen=True)
class Speaker:
    """A speaker that stays the same from sentence to sentence.

    Attributes:
        voice: The voice of an engine.
        number: Which of its speakers; 0 is the voice as it is.
        warp: Ratio of formant frequencies to the voice's.
        pitch: Ratio of pitches.
        rate: Ratio of speeds.
    """

    voice: Voice
    number: int
    warp: float
    pitch: float
    rate: float

    @classmethod
    def draw(cls, voice: Voice, number: int, seed: int) -> "Speaker":
        """The speaker of that number, a pure function of the arguments."""
        if number == 0:
            return cls(voice, 0, 1.0, 1.0, 1.0)
        digest = hashlib.sha256(f"{seed}/{voice}/{number}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        warp, pitch, rate = (float(np.exp(random.uniform(*bounds))) for bounds in (_WARP, _PITCH, _RATE))
        return cls(voice, number, warp, warp * pitch, rate)

    def labels(self) -> dict[str, str]:
        """Fields of an utterance: `speaker`, `voice`, and `gender` where it is known."""
        labels = {"speaker": f"{self.voice}/{self.number}", "voice": str(self.voice)}
        if self.voice.gender and _SAME_GENDER[0] <= self.warp <= _SAME_GENDER[1]:
            labels["gender"] = self.voice.gender
        return labels

    def speak(self, text: str, random: np.random.Generator) -> np.ndarray:
        """Speaks a sentence, a little differently each time.

        Pitch is changed by playing the voice faster or slower, which an engine that speaks slower or faster makes up
        for; the envelope is warped by what that leaves to do.

        Args:
            text: Lower case letters, apostrophe and space.
            random: Source of what differs from sentence to sentence, silence before and after it included.

        Returns:
            float32 (samples,) at 16 kHz.

        Raises:
            EngineError: The engine fails, says nothing, or takes a time in which nobody says that.
        """
        pitch = self.pitch * np.exp(random.uniform(-_PITCH_CHANGE, _PITCH_CHANGE))
        rate = self.rate * np.exp(random.uniform(-_RATE_CHANGE, _RATE_CHANGE))
        audio, sample_rate = engines.speak(text, self.voice, rate / pitch)
        if not len(audio) or np.abs(audio).max() < 1e-3:
            raise EngineError(f"{self.voice} says nothing")
        audio = warp_envelope(resample(audio, sample_rate * pitch, SAMPLE_RATE), self.warp / pitch)
        first, last = speech_bounds(audio, SAMPLE_RATE)
        audio = audio[first:last]
        letters, seconds = len(text.replace(" ", "")), len(audio) / SAMPLE_RATE
        shortest, longest = (letters * bound / rate for bound in _SECONDS_PER_LETTER)
        if not shortest <= seconds <= longest + 1:
            raise EngineError(f"{self.voice} takes {seconds:.2f} s for {letters} letters")
        audio *= min(10 ** (_LEVEL_DB / 20) / np.sqrt(np.mean(np.square(audio))), _MAXIMUM_PEAK / np.abs(audio).max())
        audio = np.pad(audio, (random.uniform(0, _MAXIMUM_SILENCE, 2) * SAMPLE_RATE).astype(int))
        noise = random.standard_normal(len(audio), np.float32) * 10 ** (random.uniform(*_NOISE_DB) / 20)
        return (audio + noise).astype(np.float32)
