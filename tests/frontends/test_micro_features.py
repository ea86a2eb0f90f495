"""The features of ESPHome's devices against TensorFlow Lite Micro's own C code, and what a stream of them is."""

import numpy as np
import pytest

from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.frontends import MicroFeatures
from speechzoo.frontends.micro_features import SMOOTHING, filterbank
from speechzoo.layers.stream_state import StreamState
from tests.helpers import tone


def features_of(samples):
    """int16 (samples,) -> (frames, 40)."""
    return np.asarray(MicroFeatures()(samples[None].astype(np.float32) / 32768)[0])[0]


def reference(samples):
    """The same by pymicro-features, which waits for a whole window: here silence was before."""
    pymicro_features = pytest.importorskip("pymicro_features", reason="pymicro-features comes with the extra [dev]")
    frontend, frames = pymicro_features.MicroFrontend(), []
    samples = np.concatenate([np.zeros(320, np.int16), samples])
    for start in range(0, len(samples) - 159, 160):
        features = frontend.process_samples(samples[start:start + 160].tobytes()).features
        frames += [features] if features else []
    return np.array(frames)


def as_int16(audio):
    return np.clip(np.rint(32768 * audio), -32768, 32767).astype(np.int16)


def test_features_are_those_of_the_integers():
    recordings = [as_int16(audio) for audio in bundled_recordings(16000)[:12]]
    expected = np.concatenate([reference(samples) for samples in recordings])
    got = np.concatenate([features_of(samples) for samples in recordings])
    assert got.shape == expected.shape and got.min() == 0 and 20 < got.max() < 27
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.995
    difference = np.abs(got - expected)
    assert difference.mean() < 0.15 and abs((got - expected).mean()) < 0.04
    # Near the noise there are few units for integers to cut; far from it floats and integers agree.
    loud = expected > 14
    assert loud.mean() > 0.1 and difference[loud].mean() < 0.1 and np.percentile(difference[loud], 95) < 0.3
    assert (difference < 0.25).mean() > 0.9


@pytest.mark.parametrize("frequency", [250, 1000, 3000, 7000])
@pytest.mark.parametrize("level", [0.02, 1.0])
def test_a_tone_that_sets_in(frequency, level):
    samples = as_int16(np.concatenate([np.zeros(8000), level * tone(0.5, frequency, seed=1)]))
    expected, got = reference(samples), features_of(samples)
    loud = expected > 14
    assert loud.any() and np.abs(got - expected)[loud].mean() < 0.15
    assert got[55].argmax() == expected[55].argmax()


def test_silence_is_zero():
    assert not features_of(np.zeros(3200, np.int16)).any()
    assert not reference(np.zeros(3200, np.int16)).any()


def test_the_noise_is_the_recursion():
    signal = np.random.default_rng(1).uniform(0, 1000, (1, 1500, 40)).astype(np.float32)
    layer = MicroFeatures()
    layer.build()
    got = np.asarray(layer._noise(signal, None))[0]
    noise, smoothing = np.zeros(40), np.resize(SMOOTHING, 40)
    for frame, expected in zip(signal[0], got):
        noise = (1 - smoothing) * noise + smoothing * frame
        np.testing.assert_allclose(expected, noise, rtol=1e-5)


def test_filters_overlap_by_halves():
    filters = filterbank()
    assert filters.shape == (257, 40) and filters.max() <= 1.0
    assert not filters[:5].any() and filters[5].any()  # 125 Hz is bin 4; what is below the first whole bin is left out
    assert not filters[241:].any()  # 7500 Hz is bin 240
    inner = slice(filters[:, 0].argmax(), filters[:, -1].argmax())
    np.testing.assert_allclose(filters[inner].sum(axis=1), 1.0, atol=2 ** -12)


@pytest.mark.parametrize("hops", [1, 4, 50])
def test_streamed_equals_offline(hops):
    audio = tone(1.3, seed=4)[None, :200 * 100]
    layer = MicroFeatures()
    whole, state, pieces = np.asarray(layer(audio)[0]), None, []
    for start in range(0, audio.shape[1] - 160 * hops + 1, 160 * hops):
        hears = StreamState(state)
        pieces.append(np.asarray(layer(audio[:, start:start + 160 * hops], state=hears)[0]))
        state = hears.new
    streamed = np.concatenate(pieces, axis=1)
    assert set(state) == {"samples", "noise"}
    np.testing.assert_allclose(streamed, whole[:, :streamed.shape[1]], atol=1e-4)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="micro_features: sample_rate 8000 is not 16000"):
        MicroFeatures(sample_rate=8000)
