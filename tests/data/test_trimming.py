import numpy as np
import pytest

from speechzoo.data.trimming import speech_bounds
from tests.helpers import tone


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("level", [1.0, 0.1])
def test_sound_is_found_between_silences(noise, level):
    audio = np.concatenate([np.zeros(16000), tone(1.0), np.zeros(24000)])
    audio += noise * np.random.default_rng(1).standard_normal(56000)
    first, last = speech_bounds((level * audio).astype(np.float32), 16000)
    # A margin of 0.15 s, up to three frames of 0.02 s more.
    assert 16000 - 2400 - 960 <= first <= 16000 - 1500
    assert 32000 + 1500 <= last <= 32000 + 2400 + 960


@pytest.mark.parametrize("audio", [np.zeros(16000), tone(1.0), 1e-4 * tone(1.0), np.zeros(100), np.zeros(0)])
def test_silence_steady_sound_and_short_recordings_stay_whole(audio):
    assert speech_bounds(audio.astype(np.float32), 16000) == (0, len(audio))


def test_nothing_is_cut_in_loud_noise():
    noise = 0.05 * np.random.default_rng(1).standard_normal(48000)
    audio = (np.concatenate([np.zeros(16000), tone(1.0), np.zeros(16000)]) + noise).astype(np.float32)
    assert speech_bounds(audio, 16000) == (0, len(audio))


def test_a_pause_stays():
    audio = np.concatenate([np.zeros(8000), tone(0.3), np.zeros(16000), tone(0.3), np.zeros(8000)]).astype(np.float32)
    first, last = speech_bounds(audio, 16000)
    assert last - first > 16000 + 9600
