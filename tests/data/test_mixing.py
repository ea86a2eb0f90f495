import numpy as np
import pytest

from speechzoo.data.mixing import mix_at_snr


def test_ratio_of_the_loudest_frames_and_peak():
    random = np.random.default_rng(1)
    speech = np.concatenate([np.zeros(4096), 0.1 * random.standard_normal(2048), np.zeros(2048)]).astype(np.float32)
    noise = np.full(3000, 0.02, np.float32)  # a constant: what is left of the mix is the speech
    mixed = mix_at_snr(speech, noise, snr=10.0, start=700)
    assert np.abs(mixed).max() == pytest.approx(0.5, abs=1e-6) and mixed.dtype == np.float32
    level = mixed[0]  # the noise alone
    ratio = np.mean((mixed[4096:6144] - level) ** 2) / level ** 2
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=1e-3)


def test_noise_begins_where_asked_and_repeats():
    noise = np.array([1, 2, 3, 4], np.float32)
    mixed = mix_at_snr(np.zeros(6, np.float32), noise, snr=0.0, start=2)
    np.testing.assert_allclose(mixed, np.array([3, 4, 1, 2, 3, 4]) / 8)


def test_silent_noise_is_refused():
    with pytest.raises(ValueError, match="the noise is empty or silent"):
        mix_at_snr(np.ones(10, np.float32), np.zeros(10, np.float32), 6.0)


def test_an_empty_recording_stays_empty():
    assert not len(mix_at_snr(np.zeros(0, np.float32), np.ones(10, np.float32), 6.0))
