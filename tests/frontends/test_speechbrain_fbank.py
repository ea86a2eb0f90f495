"""SpeechBrainFbank against SpeechBrain's formulas in double precision."""

import numpy as np
import pytest

from speechzoo.frontends import SpeechBrainFbank
from tests.helpers import run_layer, tone


def reference(audio):
    """`Fbank(n_mels=80)` and `InputNormalization(norm_type="sentence", std_norm=False)`: (frames, 80)."""
    padded = np.pad(audio.astype(np.float64), 200)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[start:start + 400] for start in range(0, len(padded) - 399, 160)])
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    hertz = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 82) / 2595) - 1)
    band = (hertz[1:] - hertz[:-1])[:-1]
    slope = (np.linspace(0, 8000, 201)[:, None] - hertz[1:-1]) / band
    filters = np.maximum(0, np.minimum(slope + 1, 1 - slope))
    energies = 10 * np.log10(np.maximum(power @ filters, 1e-10))
    energies = np.maximum(energies, energies.max() - 80)
    return energies - energies.mean(axis=0)


@pytest.mark.parametrize("samples", [16000, 16001, 16159, 3200, 480])
def test_equals_the_formulas(samples):
    random = np.random.default_rng(samples)
    audio = tone(samples / 16000, 700.0) + 1e-5 * random.standard_normal(samples).astype(np.float32)
    audio[:samples // 2] = 0  # cut off below the greatest energy
    (features,), lengths = run_layer(SpeechBrainFbank(), np.pad(audio, (0, 700))[None], [samples])
    expected = reference(audio)
    assert lengths.tolist() == [len(expected)]
    np.testing.assert_allclose(features[0, :lengths[0]], expected, atol=1e-5 * np.abs(expected).max())


def test_the_maximum_and_the_mean_are_the_utterances_own():
    quiet, loud = 0.001 * tone(0.5, seed=1), tone(1.0, seed=2)
    batch = np.stack([np.concatenate([quiet, loud[:8000]]), loud])
    (features,), _ = run_layer(SpeechBrainFbank(), batch, [8000, 16000])
    expected = reference(quiet)
    np.testing.assert_allclose(features[0, :51], expected, atol=3e-5 * np.abs(expected).max())
