"""PCEN and Leaf against librosa and the definitions."""

import librosa
import numpy as np
import pytest

from speechzoo.frontends import PCEN, Leaf
from tests.helpers import run_layer

RATE = 16000
SECONDS = 4.0


def sound(seed=0):
    """Noise that comes and goes."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    loudness = 0.02 + 0.2 * np.square(np.sin(2 * np.pi * 1.3 * time))
    return (loudness * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)


def test_features_equal_those_of_librosa():
    layer = PCEN(20, smoothing_seconds=0.1, gain=0.9, bias=1.5, exponent=0.4)
    (features,), _ = run_layer(layer, sound()[None])
    energies = np.asarray(layer.mel.energies(sound()[None]))[0]
    expected = librosa.pcen(energies.T, sr=RATE, hop_length=160, gain=0.9, bias=1.5, power=0.4, eps=1e-6,
                            b=1 - np.exp(-0.01 / 0.1)).T
    # librosa's average begins as if there had been energies of 1 before; after ten time constants nothing is left of it.
    np.testing.assert_allclose(features[0, 100:], expected[100:], atol=2e-3)


@pytest.mark.parametrize("cls", [PCEN, Leaf])
def test_loudness_hardly_matters(cls):
    (features,), _ = run_layer(cls(), np.stack([sound(), 0.1 * sound()]))
    loud, quiet = features
    # 20 dB are 4.6 in the logarithm of an energy, several times what speech goes up and down by.
    assert np.abs(loud - quiet).mean() < 0.15 * loud.std()


def test_steady_noise_becomes_nothing_much_and_what_begins_stays():
    audio = 0.05 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    audio[2 * RATE:] *= 10
    (features,), _ = run_layer(PCEN(), audio[None])
    steady, onset = features[0, 100:195].mean(), features[0, 200:205].mean()
    assert onset > 5 * steady


def test_filters_of_leaf_begin_as_mel_filters_and_train():
    layer = Leaf(30)
    layer.build()
    filters = np.asarray(layer.mel.current_filters())
    hertz = np.linspace(0, RATE / 2, len(filters))
    mel = layer.mel.filters.argmax(0)
    # The lowest are narrower than two bins of the transform; from there on both stand at the same places.
    wide = np.flatnonzero(hertz[mel] > 500)
    assert np.abs(filters.argmax(0) - mel)[wide].max() <= 1
    np.testing.assert_allclose(filters.sum(0)[wide[:-1]] * (hertz[1] - hertz[0]), 1.0, rtol=1e-2)
    half = (filters[:, 20] > filters[:, 20].max() / 2).sum() * (hertz[1] - hertz[0])
    triangle = layer.mel.filters[:, 20]
    assert abs(half - (triangle > triangle.max() / 2).sum() * (hertz[1] - hertz[0])) <= 2 * (hertz[1] - hertz[0])
    assert {weight.path.rsplit("/")[-1] for weight in layer.trainable_weights} == {
        "position", "log_width", "log_gain", "log_bias", "log_exponent"}
    fixed = Leaf(30, trained=False)
    fixed.build()
    assert not fixed.trainable_weights
    layer.mel.position.assign(np.asarray(layer.mel.position) + 2)
    moved = np.asarray(layer.mel.current_filters())
    np.testing.assert_allclose(moved.argmax(0)[:-2], filters.argmax(0)[2:], atol=1)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="pcen: exponent 0 must be above 0"):
        PCEN(exponent=0.0)
    with pytest.raises(ValueError, match="leaf: smoothing_seconds -1 must be above 0"):
        Leaf(smoothing_seconds=-1)
