"""Sounds in which nobody speaks: the trained model says nothing of a speaker, writes no word and takes none for a command."""

import numpy as np
import pytest

import speechzoo

RATE, SECONDS = 16000, 3
TIME = np.arange(SECONDS * RATE) / RATE
WHITE = np.random.default_rng(1).standard_normal(SECONDS * RATE)


def coloured(exponent):
    """Noise whose power falls with the frequency to this exponent, at a level of 0.1."""
    spectrum = np.fft.rfft(WHITE) / np.maximum(np.arange(SECONDS * RATE // 2 + 1), 20) ** (exponent / 2)
    noise = np.fft.irfft(spectrum, SECONDS * RATE)
    return 0.1 * noise / noise.std()


def tune():
    """Six decaying tones of a chord, half a second each."""
    notes = [261.6, 329.6, 392.0, 523.3, 392.0, 329.6]
    return np.concatenate([0.3 * np.sin(2 * np.pi * note * TIME[:RATE // 2]) * np.exp(-3 * TIME[:RATE // 2]) for note in notes])


SOUNDS = {
    "digital silence": 0 * TIME,
    "a quiet room": 1e-4 * WHITE,
    "white noise": 0.1 * WHITE,
    "pink noise": coloured(1.0),
    "brown noise": coloured(2.0),
    "mains hum": 0.2 * sum(np.sin(2 * np.pi * 50 * partial * TIME) / partial for partial in (1, 2, 3, 5)),
    "a tone": 0.3 * np.sin(2 * np.pi * 440 * TIME),
    "a sweep": 0.3 * np.sin(2 * np.pi * (100 * TIME + 600 * TIME ** 2)),
    "clicks": 0.8 * (np.arange(SECONDS * RATE) % 8000 == 0),
    "beeps": 0.3 * np.sin(2 * np.pi * 1000 * TIME) * (TIME % 0.5 < 0.1),
    "a square wave": 0.2 * np.sign(np.sin(2 * np.pi * 220 * TIME)),
    "a tune": tune(),
    "clipped noise": np.clip(50 * coloured(1.0), -1, 1),
}


# What the weights know doesn't depend on TensorFlow's version.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def heard():
    model = speechzoo.load("mtl_whisper_tiny")
    answers = model.recognize_batch([sound.astype(np.float32) for sound in SOUNDS.values()], grammar="smart_speaker")
    return dict(zip(SOUNDS, answers, strict=True))


@pytest.mark.parametrize("name", SOUNDS)
def test_nothing_is_heard_where_nobody_speaks(heard, name):
    answer = heard[name]
    assert answer.speech == [] and answer.transcript == "" and answer.phones == ""
    assert (answer.speaker, answer.gender, answer.age_group) == (None, None, None)
    assert {"speaker", "gender", "age_group"} <= set(answer.unanswered)
    assert (answer.intent, answer.slots, answer.sentence) == ("none", {}, None)
    assert answer.keyword in ("_silence_", "_unknown_") or answer.confidence["keyword"] < 0.5
    assert answer.event != "speech"
