import numpy as np
import pytest

from speechzoo.corpora.synthesis.warping import warp_envelope
from tests.corpora.synthesis.fake_engine import vowel


def whisper(formants):
    """Two seconds of noise under resonances of 100 Hz width."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(32000))
    frequency = np.fft.rfftfreq(32000, 1 / 16000)[:, np.newaxis]
    gain = np.sqrt(np.sum(1 / (1 + ((frequency - np.array(formants)) / 100) ** 2), axis=1) + 1e-4)
    return (0.1 * np.fft.irfft(gain * spectrum)).astype(np.float32)


def resonance_near(audio, hertz):
    """Centre of the power within 250 Hz of a frequency."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    frequency = np.fft.rfftfreq(len(audio), 1 / 16000)
    near = np.abs(frequency - hertz) < 250
    return np.sum(frequency[near] * power[near]) / np.sum(power[near])


@pytest.mark.parametrize("factor", [0.85, 0.93, 1.1, 1.18])
def test_formants_move(factor):
    formants = np.array([800.0, 1900.0, 3300.0])
    warped = warp_envelope(whisper(formants), factor)
    for formant in formants:
        assert resonance_near(warped, factor * formant) == pytest.approx(factor * formant, rel=0.03)


@pytest.mark.parametrize("factor", [0.85, 1.18])
def test_pitch_and_duration_stay(factor):
    audio = vowel(1.0, 125.0)
    warped = warp_envelope(audio, factor)
    assert len(warped) == len(audio) and warped.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(warped[2000:-2000] * np.hanning(12000)))
    harmonics = (np.arange(125, 3000, 125) * 0.75).round().astype(int)
    assert np.median(spectrum[harmonics] / spectrum[harmonics + 45]) > 100  # still at multiples of 125 Hz


def test_what_stays_the_same():
    audio = vowel(0.3)
    assert warp_envelope(audio, 1.0) is audio
    assert not warp_envelope(np.zeros(4000, np.float32), 1.2).any()
    for samples in (0, 1, 100, 513):
        assert len(warp_envelope(audio[:samples], 0.9)) == samples


def test_near_one_is_nearly_the_same():
    audio = vowel(0.5)
    difference = warp_envelope(audio, 1.001) - audio
    assert np.mean(difference[600:-600] ** 2) < 1e-3 * np.mean(audio ** 2)


def test_a_missing_band_is_not_raised():
    audio = vowel(0.5)
    spectrum = np.fft.rfft(audio)
    spectrum[len(spectrum) // 2:] = 0  # nothing above 4 kHz
    warped = warp_envelope(np.fft.irfft(spectrum).astype(np.float32), 1.18)
    power = np.abs(np.fft.rfft(warped)) ** 2
    assert power[int(0.6 * len(power)):].sum() < 1e-3 * power.sum()
