"""Losses and metrics of enhancement against NumPy, window by window."""

import numpy as np
import pytest

from speechzoo.enhancement.bands import band_weights
from speechzoo.enhancement.overlap_add import OverlapAdd
from speechzoo.heads import EnhancementHead
from speechzoo.heads.enhancement_loss import EnhancementLoss, SISDR, SISDRGain, si_sdr
from tests.helpers import tone

HOP, RATE, BANDS = 16, 16000, 5
RANDOM = np.random.default_rng(0)
CLEAN = np.stack([tone(0.02, 400, seed=1), tone(0.02, 900, seed=2)])
NOISY = CLEAN + 0.1 * RANDOM.standard_normal(CLEAN.shape).astype(np.float32)
PAIRS = np.stack([CLEAN, NOISY], axis=1)
GAINS = RANDOM.uniform(0.05, 1, (2, 10, BANDS)).astype(np.float32)  # each of two hops


def numpy_si_sdr(clean, estimate):
    scaled = (estimate @ clean) / (clean @ clean) * clean
    return 10 * np.log10((scaled @ scaled) / ((scaled - estimate) @ (scaled - estimate)))


def numpy_spectrum(audio):
    """One window after the other, complex (hops, bins)."""
    window = np.sin(np.pi * np.arange(2 * HOP) / (2 * HOP))
    padded = np.concatenate([np.zeros(HOP), audio])
    return np.array([np.fft.rfft(window * padded[start:start + 2 * HOP])
                     for start in range(0, len(audio) // HOP * HOP, HOP)])


def numpy_compressed(clean, noisy, gains):
    clean, enhanced = numpy_spectrum(clean), gains * numpy_spectrum(noisy)
    level = np.sqrt(np.mean(np.abs(clean) ** 2))

    def compressed(spectrum):
        return (np.abs(spectrum) / level) ** 0.3 * np.exp(1j * np.angle(spectrum))

    clean, enhanced = compressed(clean), compressed(enhanced)
    return np.mean(0.3 * np.abs(clean - enhanced) ** 2 + 0.7 * (np.abs(clean) - np.abs(enhanced)) ** 2)


def bin_gains(row):
    return np.repeat(GAINS[row] @ band_weights(BANDS, HOP + 1, RATE), 2, axis=0)


def enhanced(row):
    """What the head's gains make of a row: overlap-add as on the device, moved back by its delay."""
    return OverlapAdd(HOP).feed(NOISY[row], bin_gains(row))[HOP:]


def test_si_sdr():
    expected = [numpy_si_sdr(*pair.astype(np.float64)) for pair in PAIRS]
    np.testing.assert_allclose(si_sdr(CLEAN, NOISY), expected, rtol=1e-4)
    np.testing.assert_allclose(si_sdr(CLEAN, 0.2 * NOISY), expected, rtol=1e-4)  # of any scale


def test_loss_of_compressed_spectra():
    expected = [numpy_compressed(CLEAN[row], NOISY[row], bin_gains(row)) for row in range(2)]
    np.testing.assert_allclose(EnhancementLoss("compressed", RATE, HOP, 2).call(PAIRS, GAINS), expected, rtol=2e-3)


def test_padding_has_no_part_in_the_loss():
    loss, more = EnhancementLoss("compressed", RATE, HOP, 2), ((0, 0), (0, 0), (0, 4 * HOP))
    # The window on the border holds a rest of both.
    padded = loss.call(np.pad(PAIRS, more), np.pad(GAINS, ((0, 0), (0, 2), (0, 0))))
    expected = loss.call(np.pad(PAIRS, ((0, 0), (0, 0), (0, HOP))), np.pad(GAINS, ((0, 0), (0, 1), (0, 0))))
    np.testing.assert_allclose(padded, expected, rtol=1e-5)


def test_loss_and_metrics_of_what_the_device_would_give():
    ratios = [numpy_si_sdr(CLEAN[row, :-HOP].astype(np.float64), enhanced(row).astype(np.float64)) for row in range(2)]
    before = [numpy_si_sdr(CLEAN[row, :-HOP].astype(np.float64), NOISY[row, :-HOP].astype(np.float64)) for row in (0, 1)]
    np.testing.assert_allclose(EnhancementLoss("si_sdr", RATE, HOP, 2).call(PAIRS, GAINS), np.negative(ratios), rtol=1e-3)
    metric, gain = SISDR(RATE, HOP, 2), SISDRGain(RATE, HOP, 2)
    for each in (metric, gain):
        each.update_state(PAIRS, GAINS, sample_weight=np.array([0.0, 1.0]))
    assert float(metric.result()) == pytest.approx(ratios[1], rel=1e-3)
    assert float(gain.result()) == pytest.approx(ratios[1] - before[1], rel=1e-2)


def test_gains_of_one_are_nearly_perfect_without_noise():
    pairs = np.stack([CLEAN, CLEAN], axis=1)
    assert float(EnhancementLoss("compressed", RATE, HOP, 2)(pairs, np.ones_like(GAINS))) < 1e-4
    assert np.all(EnhancementLoss("si_sdr", RATE, HOP, 2).call(pairs, np.ones_like(GAINS)) < np.float32(-40))


def test_what_can_not_be_learnt_from():
    head = EnhancementHead(name="enhancement")
    assert head.encode("clean").shape == (2, 0) and head.encode(PAIRS[0]).shape == PAIRS[0].shape
    with pytest.raises(ValueError, match="enhancement 'music' of head 'enhancement': only 'clean' speech"):
        head.encode("music")
    with pytest.raises(ValueError, match=r"expected \(2, samples\)"):
        head.encode(CLEAN[0])
    with pytest.raises(ValueError, match="loss 'l1' is not one of compressed, si_sdr"):
        EnhancementHead(loss="l1", name="enhancement")
    with pytest.raises(ValueError, match="bands must be 2 or more"):
        EnhancementHead(bands=1, name="enhancement")
