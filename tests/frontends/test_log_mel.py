"""LogMel against NumPy written from the definitions, one frame and one filter at a time."""

import keras
import numpy as np
import pytest

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz
from speechzoo.frontends import LogMel, SpecAugment
from speechzoo.frontends.mel import mel_filterbank
from tests.helpers import run_layer, tone

RATE = 16000


def reference_mel(hertz, scale):
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    return hertz / (200 / 3) if hertz < 1000 else 15 + np.log(hertz / 1000) / (np.log(6.4) / 27)


def reference_hertz(mel, scale):
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)


def reference_filters(count, fft_length, low, high, scale):
    bottom, top = reference_mel(low, scale), reference_mel(high, scale)
    edges = [reference_hertz(bottom + (top - bottom) * i / (count + 1), scale) for i in range(count + 2)]
    filters = np.zeros((count, fft_length // 2 + 1))
    for row in range(count):
        left, centre, right = edges[row:row + 3]
        for index in range(fft_length // 2 + 1):
            hertz = index * RATE / fft_length
            if left < hertz <= centre:
                filters[row, index] = (hertz - left) / (centre - left)
            elif centre < hertz < right:
                filters[row, index] = (right - hertz) / (right - centre)
        if scale == "slaney":
            filters[row] *= 2 / (right - left)
    return filters


def reference_log_mel(audio, window_length, hop, fft_length, filters, preemphasis, floor=1e-6):
    audio = audio.astype(np.float64)
    emphasised = audio.copy()
    for index in range(1, len(audio)):
        emphasised[index] = audio[index] - preemphasis * audio[index - 1]
    features = []
    for frame in range(len(audio) // hop):
        piece = np.zeros(window_length)
        cut = emphasised[frame * hop:frame * hop + window_length]
        piece[:len(cut)] = cut
        window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / window_length) for n in range(window_length)])
        power = np.abs(np.fft.rfft(piece * window, fft_length)) ** 2
        features.append([np.log(max(np.sum(row * power), floor)) for row in filters])
    return np.array(features)


@pytest.mark.parametrize("transform", ["matmul", "fft"])
@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
@pytest.mark.parametrize("preemphasis", [0.0, 0.97])
@pytest.mark.parametrize("window, hop", [(0.025, 0.010), (0.032, 0.020), (0.010, 0.010)])
def test_log_mel_equals_numpy(transform, mel_scale, preemphasis, window, hop):
    audio = tone(0.135, seed=1) + 0.1 * np.random.default_rng(0).standard_normal(2160).astype(np.float32)
    filters = reference_filters(23, 512, 60.0, 7600.0, mel_scale)
    expected = reference_log_mel(audio, round(window * RATE), round(hop * RATE), 512, filters, preemphasis)
    options = {"num_mel_bins": 23, "window_seconds": window, "hop_seconds": hop, "minimum_hertz": 60.0,
               "maximum_hertz": 7600.0, "transform": transform, "mel_scale": mel_scale, "preemphasis": preemphasis}
    (plain,), _ = run_layer(LogMel(normalization="none", **options), audio[None])
    np.testing.assert_allclose(plain[0], expected, atol=2e-4, rtol=0)

    (of_utterance,), _ = run_layer(LogMel(normalization="utterance", **options), audio[None])
    normalised = (expected - expected.mean(0)) / np.sqrt(expected.var(0) + 1e-5)
    np.testing.assert_allclose(of_utterance[0], normalised, atol=5e-4, rtol=0)

    layer = LogMel(normalization="stored", **options)
    layer.build()
    mean, variance = np.linspace(-9, 2, 23), np.linspace(0.5, 7, 23)
    layer.mean.assign(mean)
    layer.variance.assign(variance)
    (stored,), _ = run_layer(layer, audio[None])
    np.testing.assert_allclose(stored[0], (expected - mean) / np.sqrt(variance + 1e-5), atol=5e-4, rtol=0)


def test_both_transforms_give_the_same_to_the_last_window():
    audio = tone(0.2, seed=3)[None]
    one, two = (run_layer(LogMel(normalization="none", transform=name), audio)[0][0] for name in ("matmul", "fft"))
    assert one.shape == (1, 20, 80)
    np.testing.assert_allclose(one, two, atol=2e-3)  # far below the tone, rounding of float32 is all that is left


@pytest.mark.parametrize("scale, options", [("htk", {"htk": True, "norm": None}), ("slaney", {})])
@pytest.mark.parametrize("bins, fft_length, low, high", [
    (80, 512, 20.0, 8000.0), (40, 400, 0.0, 7000.0), (13, 1024, 300.0, 3400.0)])
def test_filterbank_equals_librosa(scale, options, bins, fft_length, low, high):
    librosa = pytest.importorskip("librosa", reason="librosa comes with the extra [dev]")
    expected = librosa.filters.mel(sr=RATE, n_fft=fft_length, n_mels=bins, fmin=low, fmax=high, **options).T
    np.testing.assert_allclose(mel_filterbank(bins, fft_length, RATE, low, high, scale), expected, atol=1e-6)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_scales_invert(scale):
    hertz = np.array([0.0, 20.0, 999.0, 1000.0, 1001.0, 8000.0])
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(hertz, scale), scale), hertz, atol=1e-9)
    np.testing.assert_allclose(hertz_to_mel(hertz, scale), [reference_mel(value, scale) for value in hertz], atol=1e-9)


def test_a_tone_peaks_in_the_filter_at_its_frequency():
    layer = LogMel(num_mel_bins=40, normalization="none", preemphasis=0.0)
    for frequency in (300.0, 1000.0, 4000.0):
        (features,), _ = run_layer(layer, tone(0.3, frequency)[None])
        centres = mel_to_hertz(np.linspace(*hertz_to_mel([20.0, 8000.0], "htk"), 42), "htk")[1:-1]
        peak = centres[features[0].mean(0).argmax()]
        assert abs(hertz_to_mel(peak, "htk") - hertz_to_mel(frequency, "htk")) < 70  # filters stand 68 mel apart


def test_adapt_gives_zero_mean_and_unit_variance():
    random = np.random.default_rng(0)
    audio = (0.2 * random.standard_normal((5, 4800))).astype(np.float32)
    lengths = np.array([4800, 4000, 3111, 2000, 1600], np.int32)
    for row, length in enumerate(lengths):
        audio[row, length:] = 5.0  # padding must not count
    layer = LogMel(num_mel_bins=10)
    assert layer.needs_adaptation and not LogMel(normalization="utterance").needs_adaptation
    layer.adapt([(audio[:3], lengths[:3]), (audio[3:], lengths[3:])])
    (features,), counts = run_layer(layer, audio, lengths)
    frames = np.concatenate([row[:count] for row, count in zip(features, counts)])
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.var(0), 1, atol=1e-3)
    with pytest.raises(ValueError, match="at least one frame"):
        LogMel().adapt([(np.zeros((1, 100), np.float32), np.array([100], np.int32))])


@pytest.mark.parametrize("options, message", [
    ({"mel_scale": "bark"}, "mel_scale 'bark' is not one of htk, slaney"),
    ({"transform": "dct"}, "transform 'dct' is not one of matmul, fft"),
    ({"normalization": "batch"}, "normalization 'batch' is not one of stored, utterance, running, none"),
    ({"window_seconds": 0.05}, "window of 800 samples is longer than fft_length 512"),
])
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        LogMel(**options)


# -- SpecAugment ------------------------------------------------------------------------------------------------------

def runs(masked):
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], masked.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_spec_augment_masks_in_training_only():
    layer = LogMel(num_mel_bins=20, normalization="none", frequency_masks=2, frequency_mask_width=8)
    audio = tone(0.3, seed=1)[None]
    evaluated, again, trained = (run_layer(layer, audio, training=training)[0][0] for training in (False, False, True))
    np.testing.assert_array_equal(evaluated, again)
    assert evaluated.all()  # a log energy is never exactly zero, a masked one always
    assert np.array_equal(trained, evaluated) or not trained.all()
    assert any(not run_layer(layer, audio, training=True)[0][0].all() for _ in range(5))


def test_spec_augment_bounds_its_masks_and_gives_each_row_its_own():
    layer = SpecAugment(frequency_masks=1, frequency_mask_width=7, time_masks=1, time_mask_fraction=0.1)
    lengths = np.array([100, 50] * 100)
    (output,), _ = run_layer(layer, np.ones((200, 100, 30)), lengths, training=True)
    assert set(np.unique(output)) == {0.0, 1.0}  # nothing is scaled
    bands, spans = (output == 0).all(axis=1), (output == 0).all(axis=2)
    np.testing.assert_array_equal(output == 0, bands[:, None, :] | spans[:, :, None])
    widths = [runs(row) for row in bands]
    assert all(len(width) <= 1 for width in widths)
    assert {7} <= {int(width[0]) for width in widths if len(width)} <= set(range(1, 8))
    for row, length in enumerate(lengths):
        assert not spans[row, length:].any(), "a span lies in the padding"
        assert runs(spans[row]).sum() <= 0.1 * length
    assert max(runs(row).sum() for row in spans[::2]) == 10 and max(runs(row).sum() for row in spans[1::2]) == 5
    assert len(np.unique(bands, axis=0)) > 50 and len(np.unique(spans, axis=0)) > 50
    assert bands[:, 1:].any(axis=0).all() and spans[::2, 1:].any(axis=0).all()  # masks reach to the last bin and frame


def test_spec_augment_is_reproducible_under_a_seed_and_moves_on():
    features = np.ones((4, 50, 20))
    first, second = SpecAugment(seed=5), SpecAugment(seed=5)
    draws = [run_layer(layer, features, training=True)[0][0] for layer in (first, first, second, second)]
    np.testing.assert_array_equal(draws[0], draws[2])
    np.testing.assert_array_equal(draws[1], draws[3])
    assert not np.array_equal(draws[0], draws[1])
    twin = SpecAugment.from_config(first.get_config())
    np.testing.assert_array_equal(run_layer(twin, features, training=True)[0][0], draws[0])
    nothing = SpecAugment(frequency_masks=0, time_masks=0)
    np.testing.assert_array_equal(run_layer(nothing, features, training=True)[0][0], features)


def test_the_front_end_is_symbolic_too():
    audio, length = keras.Input((None,)), keras.Input((), dtype="int32")
    features, lengths = LogMel(num_mel_bins=20)(audio, length)
    assert features.shape == (None, None, 20) and lengths.shape == (None,)
