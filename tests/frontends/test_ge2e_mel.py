"""GE2EMel against librosa, put together as Resemblyzer's own code does it."""

import librosa
import numpy as np
import pytest

from speechzoo.frontends import GE2EMel
from tests.helpers import run_layer, tone


def reference(audio):
    """`wav_to_mel_spectrogram(normalize_volume(audio, -30, increase_only=True))` of Resemblyzer: (frames, 40)."""
    audio = audio.astype(np.float64)
    change = -30 - 20 * np.log10(np.sqrt(np.mean(audio ** 2)))
    if change > 0:
        audio = audio * 10 ** (change / 20)
    return librosa.feature.melspectrogram(y=np.pad(audio, (0, 480)), sr=16000, n_fft=400, hop_length=160, n_mels=40).T


@pytest.mark.parametrize("samples", [16000, 16001, 16159, 3200, 480])
@pytest.mark.parametrize("loudness", [1.0, 0.003])
def test_equals_librosa(samples, loudness):
    random = np.random.default_rng(samples)
    audio = loudness * (tone(samples / 16000, 700.0) + 0.1 * random.standard_normal(samples).astype(np.float32))
    (features,), lengths = run_layer(GE2EMel(), np.pad(audio, (0, 700))[None], [samples])
    expected = reference(audio)
    assert lengths.tolist() == [samples // 160 + 3]
    np.testing.assert_allclose(features[0, :lengths[0]], expected[:lengths[0]], atol=1e-5 * expected.max())
    assert not expected[lengths[0]:].any()  # no frame with a sample in it is left out


def test_silence_is_not_amplified():
    (features,), _ = run_layer(GE2EMel(), np.zeros((1, 1600)))
    assert not features.any()
