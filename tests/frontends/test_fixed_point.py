"""Log-mel features in integers against the Keras layer in floats."""

import math

import numpy as np
import pytest

from speechzoo.frontends import LogMel
from speechzoo.frontends.fixed_point import LOG_BITS, FixedPointLogMel, log2
from tests.helpers import tone

SCALE, ZERO_POINT = 0.05, -20
OPTIONS = [
    {"num_mel_bins": 40, "hop_seconds": 0.02, "window_seconds": 0.032, "transform": "fft"},
    {"num_mel_bins": 16, "hop_seconds": 0.01, "window_seconds": 0.025, "mel_scale": "slaney", "preemphasis": 0.0},
    {"num_mel_bins": 80, "hop_seconds": 0.01, "window_seconds": 0.025, "causal": True, "minimum_hertz": 60.0},
    {"num_mel_bins": 8, "hop_seconds": 0.016, "window_seconds": 0.016, "fft_length": 256, "normalization": "none"},
]


def layer_of(options):
    layer = LogMel(**options)
    layer.build(None)
    if layer.normalization == "stored":
        random = np.random.default_rng(3)
        layer.mean.assign(random.uniform(-8, 2, layer.num_mel_bins))
        layer.variance.assign(random.uniform(2, 9, layer.num_mel_bins))
    return layer


def sounds():
    """int16 samples of all levels."""
    random = np.random.default_rng(1)
    speechlike = tone(0.5, 180, seed=4) * np.repeat(random.uniform(0, 1, 25), 320)
    for gain in (2.9, 1.0, 0.03, 0.001):
        yield np.clip(np.rint(32768 * gain * speechlike), -32768, 32767).astype(np.int16)
    yield random.integers(-32768, 32768, 5000).astype(np.int16)
    yield np.zeros(4000, np.int16)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: f"{options['num_mel_bins']} bins")
def test_integers_give_what_floats_give(options):
    layer = layer_of(options)
    tables = FixedPointLogMel.from_layer(layer, SCALE, ZERO_POINT)
    for samples in sounds():
        features = np.asarray(layer(samples[None].astype(np.float32) / 32768)[0])[0]
        expected = np.clip(np.rint(features / SCALE) + ZERO_POINT, -128, 127)
        got = tables(samples)
        assert got.dtype == np.int8 and got.shape == expected.shape
        difference = np.abs(got - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 0.1


def test_the_loudest_samples_overflow_nothing():
    layer = layer_of(OPTIONS[0])
    tables = FixedPointLogMel.from_layer(layer, SCALE, ZERO_POINT)
    index = np.arange(3200)
    worst = np.where(np.hanning(641)[index % 640] > 0, 32767, -32768)
    for samples in (np.full(3200, -32768), np.where(index % 2, 32767, -32768), np.where(index % 64 < 32, 32767, -32768),
                    np.where(np.cos(2 * np.pi * index * 20 / 512) > 0, 32767, -32768), worst):
        energies = tables.energies(samples.astype(np.int16))
        reference = np.exp(layer.log_energies(samples[None].astype(np.float32) / 32768))[0]
        loud = reference > 1e-4 * reference.max()  # next to the loudest bins float32 rounds, too
        unit = tables.floor / layer.floor
        assert (energies >= 0).all()
        np.testing.assert_allclose(energies[loud] / unit, reference[loud], rtol=0.01)


def test_logarithms():
    table = FixedPointLogMel.from_layer(layer_of(OPTIONS[0]), SCALE, ZERO_POINT).logarithms
    values = [1, 2, 3, 5, 1000, 65535, 65536, 2 ** 31 - 1, 2 ** 47 + 12345, 2 ** 62 + 1, 2 ** 63 - 1]
    got = log2(np.array(values, np.int64), table) / 2 ** LOG_BITS
    np.testing.assert_allclose(got, [math.log2(value) for value in values], atol=1e-4)


@pytest.mark.parametrize(("options", "message"), [
    ({"normalization": "utterance"}, "normalization 'utterance'"),
    ({"fft_length": 500}, "fft_length 500 is not a power of two"),
    ({"hop_seconds": 0.03}, "a hop no longer than the window"),
])
def test_what_has_no_fixed_point_form(options, message):
    layer = LogMel(num_mel_bins=8, **options)
    layer.build(None)
    with pytest.raises(ValueError, match=message):
        FixedPointLogMel.from_layer(layer, SCALE, ZERO_POINT)
