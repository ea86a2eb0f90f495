import numpy as np
import pytest

from speechzoo.corpora.synthesis import engines
from speechzoo.corpora.synthesis.engine import EngineError
from speechzoo.corpora.synthesis.speaker import Speaker
from speechzoo.corpora.synthesis.voice import Voice
from tests.corpora.synthesis.fake_engine import FakeEngine, vowel

VOICE = Voice("fake", "en-us+c", "c", "en-us", "male")
TEXT = "turn on the light in the kitchen"


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "fake", FakeEngine)


def pitch_of(audio):
    middle = audio[len(audio) // 2 - 4000:][:8000]
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1:][:320]
    correlation[:45] = 0
    start = int(np.argmax(correlation > 0.8 * correlation.max()))  # the first period, not two of them
    return 16000 / (start + np.argmax(correlation[start:start + 10]))


def test_speakers_are_a_function_of_voice_number_and_seed():
    assert Speaker.draw(VOICE, 0, 1) == Speaker(VOICE, 0, 1.0, 1.0, 1.0)
    assert Speaker.draw(VOICE, 3, 1) == Speaker.draw(VOICE, 3, 1)
    drawn = [Speaker.draw(VOICE, number, seed) for number in range(1, 16) for seed in (1, 2)]
    assert len({speaker.warp for speaker in drawn}) == 30
    for speaker in drawn:
        assert 0.85 <= speaker.warp <= 1.18 and 0.74 < speaker.pitch < 1.35 and 0.8 <= speaker.rate <= 1.25


def test_labels_give_the_gender_where_it_is_sure():
    assert Speaker(VOICE, 4, 1.05, 1.0, 1.0).labels() == {"speaker": "fake:en-us+c/4", "voice": "fake:en-us+c",
                                                         "gender": "male"}
    assert "gender" not in Speaker(VOICE, 4, 1.15, 1.0, 1.0).labels()
    assert "gender" not in Speaker(Voice("fake", "x", "x"), 4, 1.0, 1.0, 1.0).labels()


@pytest.mark.parametrize("pitch, rate", [(1.0, 1.0), (1.25, 0.85), (0.8, 1.2)])
def test_pitch_and_rate_are_independent(pitch, rate):
    audio = Speaker(VOICE, 1, 1.0, pitch, rate).speak(TEXT, np.random.default_rng(0))
    loud = np.flatnonzero(np.abs(audio) > 0.01)
    original, _ = FakeEngine().speak(TEXT, VOICE, 1.0)
    assert pitch_of(audio) == pytest.approx(pitch * pitch_of(original), rel=0.06)
    assert (loud[-1] - loud[0]) / 16000 == pytest.approx((len(original) - 8000) / 16000 / rate, rel=0.1)


def test_level_silence_and_noise():
    margins = []
    for number in range(12):
        audio = Speaker.draw(VOICE, number, 1).speak(TEXT, np.random.default_rng(number))
        assert audio.dtype == np.float32 and np.abs(audio).max() < 0.95
        loud = np.flatnonzero(np.abs(audio) > 0.02)
        margins += [loud[0] / 16000, (len(audio) - loud[-1]) / 16000]
        speech = audio[loud[0]:loud[-1]]
        assert 10 * np.log10(np.mean(speech ** 2)) == pytest.approx(-25.5, abs=1.0)
        assert 1e-5 < np.std(audio[:400]) < 2e-3  # never digital silence
    assert 0.0 <= min(margins) < 0.2 < max(margins) < 0.6 and np.std(margins) > 0.05


def test_the_same_random_numbers_give_the_same_samples():
    speaker = Speaker.draw(VOICE, 5, 1)
    first, second, other = (speaker.speak(TEXT, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert len(first) != len(other)


@pytest.mark.parametrize("answer, message", [
    ((np.zeros(0, np.float32), 16000), "says nothing"), ((np.zeros(16000, np.float32), 16000), "says nothing"),
    ((vowel(0.2), 16000), r"takes 0.2\d s for 26 letters"), ((vowel(12.0), 16000), r"takes 1\d.\d\d s for 26 letters")])
def test_an_engine_that_stumbles(monkeypatch, answer, message):
    monkeypatch.setattr(engines, "speak", lambda *_: answer)
    with pytest.raises(EngineError, match=f"fake:en-us.c {message}"):
        Speaker.draw(VOICE, 0, 1).speak(TEXT, np.random.default_rng(0))
