import numpy as np
import pytest

from speechzoo.data.manifest import write_manifest
from speechzoo.data.mixing import mix_at_snr, mix_somewhere, read_noises
from tests.helpers import tone, write_wav


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


def test_noises_of_a_manifest(tmp_path):
    for number in range(3):
        write_wav(tmp_path / f"{number}.wav", tone(0.1 + number / 10))
    write_wav(tmp_path / "silent.wav", np.zeros(1600))
    lines = [{"audio": f"{number}.wav", "split": "dev" if number else "train"} for number in range(3)]
    write_manifest(tmp_path / "m.jsonl", [*lines, {"audio": "silent.wav", "split": "dev"}])
    assert [len(noise) for noise in read_noises(tmp_path / "m.jsonl", "dev")] == [3200, 4800]
    assert len(read_noises(tmp_path / "m.jsonl")) == 3 and len(read_noises(tmp_path / "1.wav")) == 1
    with pytest.raises(ValueError, match="m.jsonl: no noise in it of split 'test'"):
        read_noises(tmp_path / "m.jsonl", "test")
    with pytest.raises(ValueError, match="1.wav: a recording has no split 'dev'"):
        read_noises(tmp_path / "1.wav", "dev")


def test_a_recording_meets_one_of_the_noises_always_at_the_same_place():
    noises = [np.full(5000, 0.1, np.float32), np.linspace(-1, 1, 7000, dtype=np.float32)]
    silence = np.zeros(1000, np.float32)  # so that the noise alone is heard
    mixed = {name: mix_somewhere(silence, noises, 6.0, f"{name}") for name in range(20)}
    constant = [name for name, audio in mixed.items() if np.ptp(audio) < 1e-6]
    assert 4 <= len(constant) <= 16
    places = {audio.tobytes() for name, audio in mixed.items() if name not in constant}
    assert len(places) == 20 - len(constant)
    np.testing.assert_array_equal(mixed[3], mix_somewhere(silence, noises, 6.0, "3"))
