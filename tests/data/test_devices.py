import numpy as np

from speechzoo.data.devices import make_devices


def test_devices_keep_level_time_and_stay_smooth():
    devices = make_devices(40, (1.0, 4.0), seed=3)
    assert devices.shape == (40, 257) and devices.dtype == np.float32
    np.testing.assert_array_equal(devices, make_devices(40, (1.0, 4.0), seed=3))
    frequency = np.fft.rfftfreq(2048, 1 / 16000)
    level = 20 * np.log10(np.abs(np.fft.rfft(devices, 2048)) + 1e-9)
    speech = (frequency > 200) & (frequency < 4000)
    np.testing.assert_allclose(10 * np.log10(np.mean(10 ** (level[:, speech] / 10), axis=1)), 0, atol=0.7)
    energy = np.cumsum(devices.astype(float) ** 2, axis=1)
    assert np.all(energy[:, 32] > 0.8 * energy[:, -1])  # within 2 ms: nothing moves in time, nothing rings
    assert np.abs(np.diff(level[:, speech])).max() < 2.0  # dB from one 8 Hz bin to the next
    assert np.std(level[30:, speech]) > 1.5 * np.std(level[:10, speech])  # in the order of the ripples
    assert np.median(level[:, frequency < 20]) < -12  # no device sounds there
