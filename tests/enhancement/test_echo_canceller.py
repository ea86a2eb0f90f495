"""The echo canceller (docs/enhancement.md) in a simulated room: what it takes out, and what it leaves of speech."""

import numpy as np
import pytest

from speechzoo.data.rooms import impulse_response
from speechzoo.enhancement import EchoCanceller

RATE = 16000
SECONDS = 8
DELAY = 160  # of the loudspeaker's buffer, samples


def syllables(seed, seconds, level=0.1):
    """Coloured noise that comes and goes three times a second, as speech does: float32 (samples,)."""
    random, count = np.random.default_rng(seed), int(seconds * RATE)
    spectrum = np.fft.rfft(random.standard_normal(count)) / (1 + (np.fft.rfftfreq(count, 1 / RATE) / 800) ** 2)
    envelope = np.clip(np.sin(6 * np.pi * np.arange(count) / RATE + random.uniform(0, 6)) + 0.3, 0, None)
    audio = np.fft.irfft(spectrum, count) * envelope
    return (level * audio / audio.std()).astype(np.float32)


def room(seed):
    """Impulse response of a living room with a second's third of reverberation, of energy one."""
    place = np.random.default_rng(seed).uniform(0.8, 2.2, 3)
    response = impulse_response(np.array([4.0, 3.2, 2.5]), place, place + 0.2, 0.3)
    return np.concatenate([np.zeros(DELAY), response / np.sqrt(np.sum(response ** 2))])


def echo_of(played, seed=0):
    return np.convolve(played, room(seed))[:len(played)].astype(np.float32)


def decibels(one, other):
    return 10 * np.log10(np.mean(np.square(one, dtype=float)) / np.mean(np.square(other, dtype=float)))


def part(audio, first, last):
    return audio[first * RATE:last * RATE]


PLAYED = syllables(1, SECONDS)
ECHO = echo_of(PLAYED)
NOISE = 1e-3 * np.random.default_rng(0).standard_normal(len(PLAYED)).astype(np.float32)
NEAR = np.zeros(len(PLAYED), np.float32)
NEAR[4 * RATE:6 * RATE] = syllables(2, 2)


def test_echo_return_loss_enhancement():
    """Of a second on, 20 dB; after three, 30 dB; and what is left isn't louder than the room's noise by much."""
    left = EchoCanceller().cancel(ECHO + NOISE, PLAYED) - NOISE
    assert len(left) == len(PLAYED)
    assert decibels(part(ECHO, 1, 3), part(left, 1, 3)) > 20
    assert decibels(part(ECHO, 3, 8), part(left, 3, 8)) > 30


def test_near_end_speech_survives_double_talk():
    """Somebody speaks as loud as the echo: the speech stays, the echo under it goes, and the room isn't unlearnt."""
    heard = EchoCanceller().cancel(ECHO + NOISE + NEAR, PLAYED)
    distortion = heard - NEAR - NOISE
    assert abs(decibels(part(ECHO, 4, 6), part(NEAR, 4, 6))) < 3
    assert decibels(part(NEAR, 4, 6), part(distortion, 4, 6)) > 18
    assert decibels(part(ECHO, 6, 8), part(distortion, 6, 8)) > 25


def test_speech_passes_unchanged_while_nothing_plays():
    heard = EchoCanceller().cancel(NEAR, np.zeros_like(NEAR))
    np.testing.assert_allclose(heard, NEAR, atol=1e-6)


def test_another_room_is_learnt():
    """The speaker is moved after four seconds: two seconds later its echo is going again."""
    moved = np.concatenate([part(ECHO, 0, 4), part(echo_of(PLAYED, seed=5), 4, 8)])
    left = EchoCanceller().cancel(moved + NOISE, PLAYED) - NOISE
    assert decibels(part(moved, 6, 8), part(left, 6, 8)) > 8


def test_cuts_change_nothing():
    recorded = part(ECHO + NOISE + NEAR, 3, 5)[:RATE + 77]
    played = part(PLAYED, 3, 5)[:RATE + 77]
    whole = EchoCanceller().cancel(recorded, played)
    canceller, cuts = EchoCanceller(), [1, 300, 301, 9000]
    parts = [canceller.feed(*pair) for pair in zip(np.split(recorded, cuts), np.split(played, cuts))]
    np.testing.assert_array_equal(np.concatenate([*parts, canceller.finish()]), whole)
    assert len(whole) == len(recorded) and np.abs(whole).max() > 0


def test_the_filter_reaches_as_far_as_asked_for():
    """Partitions are worth nothing alone: an echo beyond the filter stays, one inside goes."""
    late = np.concatenate([np.zeros(3200), PLAYED])[:len(PLAYED)].astype(np.float32)  # 0.2 s
    short, long = (EchoCanceller(filter_seconds=seconds).cancel(late, PLAYED) for seconds in (0.1, 0.3))
    assert decibels(part(late, 3, 8), part(long, 3, 8)) > 30 > 10 > decibels(part(late, 3, 8), part(short, 3, 8))


def test_what_can_not_be_cancelled():
    with pytest.raises(ValueError, match="as many samples played as recorded"):
        EchoCanceller().feed(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="not finite"):
        EchoCanceller().feed(np.array([np.nan]), np.zeros(1))
    with pytest.raises(ValueError, match="must be above 0"):
        EchoCanceller(block_length=0)
