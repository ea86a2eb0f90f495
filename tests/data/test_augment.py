import numpy as np
import pytest
import tensorflow as tf

from speechzoo.config import AugmentConfig, ConfigError, RangeConfig, from_dict
from speechzoo.data import augment, augment_graph
from speechzoo.data.augment import (BAND, DEVICE, GAIN, NOISE_PLACE, NOISE_SNR, PLAYBACK_PLACE, PLAYBACK_RATIO,
                                    PLAYBACK_ROOM, ROOM, SHIFT, SILENCE, SPEED, Augmenter)
from speechzoo.data.augment_graph import GraphAugmenter
from speechzoo.data.manifest import write_manifest
from speechzoo.data.rooms import impulse_response, make_rooms
from tests.helpers import tone, write_wav


def decibels(ratio):
    return 10 * np.log10(ratio)


def power(audio):
    return np.mean(np.square(audio, dtype=np.float64))


@pytest.fixture
def full(tmp_path):
    """Everything on, with two noises."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000).astype(np.float32)
    write_wav(tmp_path / "hiss.wav", noise)
    write_wav(tmp_path / "hum.wav", tone(1.5, 100.0))
    write_manifest(tmp_path / "noises.jsonl", [{"audio": "hiss.wav"}, {"audio": "hum.wav"}])
    config = AugmentConfig(speed=RangeConfig(0.7, 0.8, 1.2), gain=RangeConfig(0.7, -10, 6),
                           noise=RangeConfig(0.7, 0, 20), noise_manifest="noises.jsonl",
                           reverberation=RangeConfig(0.7, 0.15, 0.4), shift=RangeConfig(0.7, -0.1, 0.1),
                           band_limit=RangeConfig(0.7, 3000, 7000), device=RangeConfig(0.7, 1, 4),
                           silence=RangeConfig(0.7, 0.1, 1), playback=RangeConfig(0.7, -10, 10),
                           playback_manifest=["noises.jsonl"])
    return Augmenter(config, seed=4, root=tmp_path)


@pytest.fixture(scope="module")
def white():
    return (0.1 * np.random.default_rng(3).standard_normal(16000)).astype(np.float32)


@pytest.mark.parametrize("name, arguments", [
    ("change_speed", [0.83]), ("change_speed", [1.17]), ("change_speed", [1.0]),
    ("reverberate", [make_rooms(3, (0.2, 0.3), 0)[1]]), ("add_noise", [tone(1.0, 300.0), 7.0]),
    ("add_noise", [np.zeros(16000), 7.0]),
    ("change_gain", [-6.5]), ("limit_band", [3400.0, 16000]), ("limit_band", [6000.0, 16000]), ("shift", [1600]),
    ("shift", [-1600]), ("shift", [99999]), ("shift", [0])])
def test_graph_and_numpy_agree(white, name, arguments):
    arguments = [value if isinstance(value, int) else np.asarray(value, np.float32) for value in arguments]
    expected = getattr(augment, name)(white, *arguments)
    np.testing.assert_allclose(tf.function(getattr(augment_graph, name))(white, *arguments), expected, atol=1e-5)
    assert expected.dtype == np.float32


def test_whole_chain_agrees(full, white):
    in_graph = tf.function(GraphAugmenter(full), input_signature=[tf.TensorSpec([None]), tf.TensorSpec([12])])
    lengths = [16000, 12345, 7001, 1, 0]
    changed = 0
    for row, numbers in enumerate(full.draw(2, 9, np.linspace(0.8, 1.2, 20, dtype=np.float32), np.tile([0, 0.3], 10))):
        audio = white[:lengths[row % 5]]
        expected = full(audio, numbers)
        np.testing.assert_allclose(in_graph(audio, numbers), expected, atol=1e-4)
        changed += len(audio) > 1000 and not np.array_equal(expected, audio)
    assert changed == 12


def test_late_noises_are_found(full, white):
    full.noises = np.random.default_rng(0).integers(-9999, 9999, 150 * 16000).astype(np.int16)
    numbers = full.neutral(1)[0]
    for place in (134_000, 135_000, 149_500):  # seconds 134 and 135 lie around 2 ** 31 / 16000 milliseconds
        numbers[[NOISE_PLACE, NOISE_SNR]] = place, 10
        np.testing.assert_allclose(GraphAugmenter(full)(white, numbers), full(white, numbers), atol=1e-4)


def test_silence_follows_at_every_speed(full, white):
    numbers = full.neutral(1)[0]
    numbers[[SPEED, SILENCE]] = 1.1, 0.5
    heard = full(white, numbers)
    assert len(heard) / 16000 == pytest.approx(1 / 1.1 + 0.5, rel=0.01)
    assert np.abs(heard[int(16000 / 1.1) + 200:]).max() < 0.05 * np.abs(heard[:14000]).mean()


def test_noise_fills_the_silence(full, white):
    numbers = full.neutral(1)[0]
    numbers[[SILENCE, NOISE_PLACE, NOISE_SNR]] = 0.5, 0, 0
    heard = full(white, numbers)
    assert len(heard) == 24000 and power(heard[16000:]) > 0.3 * power(heard[:16000])


def test_neutral_numbers_change_nothing(full, white):
    np.testing.assert_array_equal(full(white, full.neutral(1)[0]), white)


def test_draws_are_a_function_of_seed_epoch_and_step(full):
    speeds = np.ones(5000, np.float32)
    numbers = full.draw(1, 2, speeds, 0 * speeds)
    np.testing.assert_array_equal(numbers, full.draw(1, 2, speeds, 0 * speeds))
    for other in (full.draw(1, 3, speeds, 0 * speeds), full.draw(2, 2, speeds, 0 * speeds)):
        assert np.mean(numbers[:, NOISE_SNR] == other[:, NOISE_SNR]) < 0.01
    for column, neutral in ((ROOM, -1), (NOISE_PLACE, -1), (GAIN, 0), (BAND, 0), (SHIFT, 0), (DEVICE, -1)):
        assert np.mean(numbers[:, column] != neutral) == pytest.approx(0.7, abs=0.03)
    assert numbers[:, GAIN].min() < -9 and numbers[:, GAIN].max() > 5
    assert (numbers[:, ROOM].max(), numbers[:, NOISE_PLACE].max()) == (47, pytest.approx(2749, abs=10))


@pytest.mark.parametrize("speed", [0.8, 0.9, 1.1, 1.25])
def test_speed_changes_pitch_and_duration(speed):
    audio = tone(2.0, 500.0)
    fast = augment.change_speed(audio, np.float32(speed))
    assert len(fast) == pytest.approx(len(audio) / speed, rel=0.01) and len(fast) <= np.ceil(len(audio) / speed)
    spectrum = np.abs(np.fft.rfft(fast * np.hanning(len(fast))))
    frequency = np.argmax(spectrum) * 16000 / len(fast)
    assert frequency == pytest.approx(500 * len(audio) / len(fast), abs=1) == pytest.approx(500 * speed, rel=0.01)
    # Away from the ends it is the very sine that belongs there; the length, a whole number, knows the factor roughly.
    time = np.arange(len(fast)) * len(audio) / len(fast) / 16000
    inner = slice(1000, -1000)
    np.testing.assert_allclose(fast[inner], np.sin(2 * np.pi * 500 * time)[inner] / 3, atol=0.05)


def test_speed_does_not_alias():
    fast = augment.change_speed(tone(1.0, 7000.0), np.float32(1.25))  # would be 8750 Hz
    assert decibels(power(fast[500:-500]) / power(tone(1.0, 7000.0))) < -40


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.0])
def test_noise_has_the_ratio_asked_for(white, snr):
    noisy = augment.add_noise(white, 9 * tone(1.0, 50.0), np.float32(snr))
    assert decibels(power(white) / power(noisy - white)) == pytest.approx(snr, abs=0.01)


def test_noise_comes_from_its_place(full, white):
    numbers = full.neutral(1)[0]
    numbers[[NOISE_PLACE, NOISE_SNR]] = 2000, 0  # past the hiss, with its end in the hum; wraps around to the hiss
    added = full(white, numbers) - white
    expected = np.concatenate([full.noises[32000:], full.noises[:4000]]).astype(float)[:16000]
    assert np.corrcoef(added, expected[:len(added)])[0, 1] > 0.999


def test_playback_comes_through_a_room_at_its_ratio(full, white):
    numbers = full.neutral(1)[0]
    numbers[[PLAYBACK_PLACE, PLAYBACK_RATIO, PLAYBACK_ROOM]] = 100, -7, 5
    quiet = 0.1 * white  # which nothing clips
    added = full(quiet, numbers) - quiet
    assert decibels(power(quiet) / power(added)) == pytest.approx(-7, abs=0.01)
    expected = np.convolve(full.playbacks[1600:17600].astype(float), full.playback_rooms[5])[:16000]
    assert np.corrcoef(added, expected)[0, 1] > 0.999
    np.testing.assert_array_equal(full(quiet, augment.without_noise(numbers)), quiet)


def test_gain_in_decibels(white):
    assert decibels(power(augment.change_gain(white, np.float32(-6))) / power(white)) == pytest.approx(-6, abs=1e-3)


def test_band_limits(white):
    def level(audio, low, high):
        spectrum = np.abs(np.fft.rfft(audio)) ** 2
        return spectrum[low:high].sum() / (np.abs(np.fft.rfft(white)) ** 2)[low:high].sum()

    telephone = augment.limit_band(white, np.float32(3400), 16000)
    assert decibels(level(telephone, 3800, 8000)) < -40 and decibels(level(telephone, 0, 250)) < -30
    assert decibels(level(telephone, 400, 3200)) == pytest.approx(0, abs=0.1)
    wide = augment.limit_band(white, np.float32(7000), 16000)
    assert decibels(level(wide, 0, 250)) == pytest.approx(0, abs=0.1) and decibels(level(wide, 7400, 8000)) < -35


def test_shift_moves_and_drops():
    audio = np.arange(1.0, 6.0, dtype=np.float32)
    assert augment.shift(audio, 2).tolist() == [0, 0, 1, 2, 3]
    assert augment.shift(audio, -2).tolist() == [3, 4, 5, 0, 0]
    assert augment.shift(audio, -9).tolist() == [0] * 5


def test_reverberation_is_convolution(white):
    response = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    np.testing.assert_allclose(augment.reverberate(white, response), np.convolve(white, response)[:16000], atol=1e-4)


def test_rooms_decay_and_begin_with_the_direct_path():
    times = np.linspace(0.2, 0.6, 9)
    for response, time in zip(make_rooms(9, (0.2, 0.6), seed=2), times):
        assert np.argmax(np.abs(response)) == 0
        assert np.sum(response ** 2) == pytest.approx(1, rel=1e-4)
        energy = np.cumsum(response[::-1].astype(float) ** 2)[::-1]  # Schroeder's backward integration
        level = 10 * np.log10(np.maximum(energy / energy[0], 1e-9))
        fitted = np.flatnonzero((level < -5) & (level > -20))
        slope = np.polyfit(fitted / 16000, level[fitted], 1)[0]
        assert 0.8 * time < -60 / slope < 1.5 * time


def test_reflections_arrive_when_geometry_says():
    size, source, microphone = np.array([6.0, 5.0, 3.0]), np.array([2.0, 2.5, 1.5]), np.array([3.5, 2.5, 1.2])
    response = impulse_response(size, source, microphone, 0.3, 16000)
    direct = np.linalg.norm(source - microphone)
    floor = np.linalg.norm(source * [1, 1, -1] - microphone)
    wall = np.linalg.norm(source * [-1, 1, 1] - microphone)
    arrivals = {int(round((way - direct) / 343 * 16000)): way for way in (floor, wall)}
    assert response[0] == pytest.approx(1 / (4 * np.pi * direct))
    for delay in arrivals:
        around = np.abs(response[delay - 3:delay + 4])
        assert np.argmax(around) == 3
    # The same coefficient, one reflection each: the ratio is that of the distances (the filter smears a little).
    (first, near), (second, far) = sorted(arrivals.items())
    assert response[first] / response[second] == pytest.approx(far / near, rel=0.25)


@pytest.mark.parametrize("settings, message", [
    ({"noise": RangeConfig(0.5, 0, 10)}, "needs noise_manifest"),
    ({"playback": RangeConfig(0.5, 0, 10)}, "needs playback_manifest"),
    ({"noise": RangeConfig(0.5, 0, 10), "noise_manifest": "none.jsonl"}, "no such manifest"),
    ({"speed": RangeConfig(0.5, 0.0, 1.1)}, "augment.speed: bounds 0 to 1.1"),
    ({"gain": RangeConfig(0.5, 3, -3)}, "augment.gain: bounds 3 to -3")])
def test_settings_that_make_no_sense(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        Augmenter(AugmentConfig(**settings), 0, tmp_path)


def test_unreadable_and_held_out_noises_are_skipped(tmp_path):
    write_wav(tmp_path / "good.wav", tone(0.5))
    (tmp_path / "bad.wav").write_text("nothing")
    write_wav(tmp_path / "dev.wav", tone(0.5))
    write_manifest(tmp_path / "n.jsonl", [{"audio": "bad.wav"}, {"audio": "good.wav"}, {"audio": "dev.wav", "split": "dev"}])
    assert len(augment.load_noises([tmp_path / "n.jsonl"], 16000)) == 8000
    write_manifest(tmp_path / "n.jsonl", [{"audio": "bad.wav"}])
    with pytest.raises(ConfigError, match="none of the noises"):
        augment.load_noises([tmp_path / "n.jsonl"], 16000)


def test_noises_of_several_manifests(tmp_path):
    for name, seconds in (("one", 0.5), ("two", 0.25)):
        write_wav(tmp_path / name / "noise.wav", tone(seconds))
        write_manifest(tmp_path / name / "manifest.jsonl", [{"audio": "noise.wav"}])
    noise = {"probability": 0.5, "minimum": 0, "maximum": 10}
    names = ["one/manifest.jsonl", "two/manifest.jsonl"]
    config = from_dict(AugmentConfig, {"noise": noise, "noise_manifest": names})
    assert len(Augmenter(config, 0, tmp_path).noises) == 12000
    config = from_dict(AugmentConfig, {"noise": noise, "noise_manifest": names[1]})
    assert len(Augmenter(config, 0, tmp_path).noises) == 4000
