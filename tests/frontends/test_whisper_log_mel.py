"""WhisperLogMel against librosa, put together as the paper's own code does it."""

import librosa
import numpy as np
import pytest

from speechzoo.frontends import WhisperLogMel
from tests.helpers import run_layer, tone


def reference(audio):
    """Whisper's `log_mel_spectrogram`: (frames, 80)."""
    spectrum = librosa.stft(audio.astype(np.float64), n_fft=400, hop_length=160, window="hann", pad_mode="reflect")
    energies = librosa.filters.mel(sr=16000, n_fft=400, n_mels=80, dtype=np.float64) @ np.abs(spectrum[:, :-1]) ** 2
    features = np.log10(np.maximum(energies, 1e-10))
    return (np.maximum(features, features.max() - 8.0).T + 4.0) / 4.0


@pytest.mark.parametrize("samples", [16000, 16001, 16159, 3200, 480])
def test_equals_librosa(samples):
    random = np.random.default_rng(samples)
    audio = tone(samples / 16000, 700.0) + 0.1 * random.standard_normal(samples).astype(np.float32)
    (features,), lengths = run_layer(WhisperLogMel(), audio[None], [samples])
    # librosa has a frame more behind the last whole hop.
    np.testing.assert_allclose(features[0], reference(audio)[:samples // 160], atol=2e-5)
    assert lengths.tolist() == [samples // 160]


def test_silence_behind_a_recording_is_part_of_it():
    audio = np.stack([tone(0.5, seed=1), tone(0.5, 700.0, seed=2)])
    (features,), lengths = run_layer(WhisperLogMel(silence_seconds=0.1), audio, [8000, 4000])
    assert lengths.tolist() == [60, 35]
    for row, samples in enumerate((8000, 4000)):
        expected = reference(np.pad(audio[row, :samples], (0, 1600)))
        np.testing.assert_allclose(features[row, :lengths[row]], expected[:lengths[row]], atol=2e-5)
    (alone,), _ = run_layer(WhisperLogMel(silence_seconds=0.1), audio[1:, :4000])
    np.testing.assert_allclose(alone[0], features[1, :35], atol=1e-5)


def test_the_maximum_is_the_utterances_own():
    quiet, loud = 0.01 * tone(0.5, seed=1), tone(1.0, seed=2)
    batch = np.stack([np.concatenate([quiet, loud[:8000]]), loud])  # what stands behind the quiet one is no part of it
    (features,), _ = run_layer(WhisperLogMel(), batch, [8000, 16000])
    np.testing.assert_allclose(features[0, :50], reference(quiet), atol=2e-5)
    assert features[0, :50].max() - features[0, :50].min() <= 2.0 + 1e-6


def test_silence_is_the_floor():
    (features,), _ = run_layer(WhisperLogMel(), np.zeros((1, 1600)))
    np.testing.assert_allclose(features, (np.log10(1e-10) + 4.0) / 4.0, atol=1e-6)
