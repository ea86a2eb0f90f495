"""benchmarks/quality/enhancement.py: what is mixed, what is compared with what, and a table of it."""

import numpy as np
import pytest

from benchmarks.quality import enhancement
from benchmarks.quality.parts import read_part
from speechzoo.data.manifest import write_manifest
from speechzoo.data.rooms import make_rooms
from speechzoo.metrics.enhancement import si_sdr
from tests.helpers import tone, write_wav
from tools.tables.plain import plain

NOISES = [np.random.default_rng(0).standard_normal(30000).astype(np.float32)]


class Loudness:
    """A model that hears `high` where a recording's rate of zero crossings is that of a tone above 600 Hz."""

    spec = {"name": "tones", "sample_rate": 16000,
            "heads": {"keyword": {"type": "classifier", "label": "keyword", "classes": ["low", "high"]}}}
    decode_steps = {}

    def batch_outputs(self, audios, heads=None):
        rates = [8000 * np.mean(np.diff(np.sign(audio)) != 0) for audio in audios]
        return [{"keyword": np.array([600 - rate, rate - 600], np.float32)} for rate in rates]


@pytest.fixture
def parts(tmp_path):
    lines = []
    for number, frequency in enumerate((300, 900, 350, 1000)):
        write_wav(tmp_path / f"{number}.wav", tone(0.5, frequency))
        lines.append({"id": f"tone_{number}", "audio": f"{number}.wav", "duration": 0.5, "transcript": "a",
                      "keyword": ("low", "high")[number % 2]})
    write_manifest(tmp_path / "speech.jsonl", lines)
    return [read_part(str(tmp_path / "speech.jsonl"))]


def test_noise_at_a_ratio():
    audio = tone(1.0, 400)
    condition = enhancement.in_noise(NOISES, 6.0, lambda noisy: 0.5 * noisy)
    noisy, enhanced, clean = condition(audio)
    np.testing.assert_array_equal(enhanced, 0.5 * noisy)
    assert np.corrcoef(clean, audio)[0, 1] > 0.9999
    assert 10 * np.log10(np.mean(clean ** 2) / np.mean((noisy - clean) ** 2)) == pytest.approx(6, abs=1)
    np.testing.assert_array_equal(condition(audio)[0], noisy)
    assert not np.array_equal(condition(tone(1.0, 401))[0], noisy)  # another piece of the noise


def test_playback_is_cancelled_and_the_recording_stays():
    audio = tone(0.6, 500, seed=3)
    condition = enhancement.while_playing(NOISES, -5.0, make_rooms(2, (0.2, 0.3), seed=7))
    heard, left, clean = condition(audio)
    assert len(heard) == len(left) == len(clean) == len(audio)
    assert si_sdr(clean, heard) == pytest.approx(-5, abs=1.5)
    assert si_sdr(clean, left) > 8


def test_rows_before_and_behind(parts):
    """A perfect enhancer gives the recordings back; a model hears tones in them that noise hides."""
    known = {enhancement.number_of(audio): audio for audio in enhancement.transcribed(parts, 4)}
    noisy_of = enhancement.in_noise(NOISES, -20.0, lambda noisy: noisy)

    def perfect(audio):
        noisy, _, clean = noisy_of(audio)
        assert enhancement.number_of(audio) in known
        return noisy, clean, clean

    rows = list(enhancement.rows_of({-20.0: perfect}, parts, {"tones": Loudness()}, {"SI-SDR, dB": si_sdr}, 4))
    ears, keywords = rows
    assert (ears["measure"], ears["model"], ears["recordings"], ears["ratio"]) == ("SI-SDR, dB", None, 4, -20.0)
    assert ears["before"] < -10 and ears["after"] > 60
    assert (keywords["measure"], keywords["model"], keywords["after"]) == ("keyword: accuracy", "tones", 1.0)
    assert keywords["before"] == 0.5 and keywords["recordings"] == 4  # noise has more crossings than any tone
    assert "`tones`" in "\n".join(plain("enhancement", rows))


def test_an_enhancer_behind_the_canceller():
    condition = enhancement.behind(lambda audio: (audio, 2 * audio, 3 * audio), lambda audio: audio + 1)
    heard, enhanced, clean = condition(np.ones(2))
    assert (heard.tolist(), enhanced.tolist(), clean.tolist()) == ([1, 1], [3, 3], [3, 3])
