"""The enhancer (docs/enhancement.md): gains to samples, whole recordings and streams."""

import numpy as np
import pytest

from speechzoo.enhancement import Enhancer, enhancer as module
from speechzoo.enhancement.bands import band_weights
from speechzoo.enhancement.overlap_add import OverlapAdd
from tests.helpers import tone, write_wav

HOP = 16


class Gate:
    """A model that lets through what is loud in a frame of two hops, and remembers the last frame: causal, no Keras."""

    def __init__(self, streams=True):
        self.spec = {"name": "gate", "sample_rate": 16000, "heads": {"enhancement": {
            "type": "enhancement", "label": "enhancement", "bands": 4, "hop_length": HOP, "subsampling": 2}}}
        if streams:
            self.spec["stream"] = {"step_samples": 4 * HOP, "utterance_state": []}
        self.asked = []

    @staticmethod
    def gains(samples, last):
        level = np.abs(samples.reshape(-1, 2 * HOP)).max(axis=1)
        return np.repeat(np.minimum(1, (level + np.concatenate([[last], level[:-1]])) / 2)[:, None], 4, axis=1), level[-1]

    def initial_state(self):
        return {"last": np.zeros(1)}

    def stream_step(self, samples, state):
        gains, last = self.gains(samples[0], state["last"][0])
        return {"enhancement": gains[None]}, {"last": np.array([last])}

    def batch_outputs(self, audios, heads=None):
        self.asked += map(len, audios)
        return [{"enhancement": self.gains(audio[:len(audio) // (2 * HOP) * 2 * HOP], 0.0)[0]} for audio in audios]


AUDIO = (np.linspace(0, 1, 1003) * np.random.default_rng(0).uniform(-1, 1, 1003)).astype(np.float32)


def test_bands_are_fine_at_low_frequencies_and_add_up():
    weights = band_weights(80, 257, 16000)
    assert weights.shape == (80, 257) and weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
    widths = (weights > 0).sum(axis=1)
    assert widths.min() >= 1 and widths[5] <= 3 < 12 < widths[70]


def test_gains_of_one_give_back_what_came_a_hop_later():
    stream = OverlapAdd(HOP)
    given = np.concatenate([stream.feed(part, np.ones((len(part) // HOP, HOP + 1), np.float32))
                            for part in np.split(AUDIO[:992], [HOP, 10 * HOP])])
    np.testing.assert_allclose(given[HOP:], AUDIO[:992 - HOP], atol=1e-6)
    np.testing.assert_allclose(given[:HOP], 0, atol=1e-6)


def test_gains_act_on_their_bins():
    """A gain that lets low bins through keeps the low of two tones."""
    low, high = tone(0.2, 500), tone(0.2, 4000)
    gains = np.tile(np.arange(161) < 40, (20, 1)).astype(np.float32)
    np.testing.assert_allclose(OverlapAdd(160).feed(low + high, gains)[480:-160], low[320:-320], atol=2e-3)


@pytest.mark.parametrize("cuts", [[], [1, 2, 700], [63, 64, 65, 128]])
def test_streams_give_what_the_recording_gives(cuts):
    enhancer = Enhancer(Gate())
    stream = enhancer.stream()
    parts = [stream.feed(part) for part in np.split(AUDIO, cuts)] + [stream.finish()]
    whole = enhancer.enhance(AUDIO)
    assert whole.shape == AUDIO.shape and whole.dtype == np.float32
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    assert np.abs(whole[:300]).max() < 0.4 * np.abs(AUDIO[:300]).max()  # what is quiet is quieter


def test_latency_is_what_it_says():
    enhancer = Enhancer(Gate())
    stream, came, left = enhancer.stream(), 0, 0
    for sample in AUDIO[:300]:
        came, left = came + 1, left + len(stream.feed(np.array([sample])))
        assert came - left <= enhancer.latency
    assert enhancer.latency == 5 * HOP


def test_the_limit_leaves_some_noise():
    limited = Enhancer(Gate(), limit=6).enhance(np.full(640, 0.01, np.float32))
    np.testing.assert_allclose(limited[64:-64], 0.01 * (10 ** -0.3 + (1 - 10 ** -0.3) * 0.01), rtol=1e-3)
    with pytest.raises(ValueError, match="limit of the enhancement must be 0 dB or more, got -3"):
        Enhancer(Gate(), limit=-3)


@pytest.mark.parametrize("streams", [True, False])
def test_long_recordings_are_taken_in_parts(streams, monkeypatch):
    whole = Enhancer(Gate()).enhance(AUDIO)
    monkeypatch.setattr(module, "PIECE_SECONDS", 20 * HOP / 16000)
    monkeypatch.setattr(module, "AROUND_SECONDS", 2 * HOP / 16000)
    model = Gate(streams)
    np.testing.assert_allclose(Enhancer(model).enhance(AUDIO), whole, atol=1e-6)
    assert max(model.asked, default=0) <= 24 * HOP and bool(model.asked) != streams


def test_files_and_other_rates(tmp_path):
    enhancer = Enhancer(Gate())
    path = write_wav(tmp_path / "tone.wav", tone(0.1, 440))
    np.testing.assert_allclose(enhancer.enhance(str(path)), enhancer.enhance(tone(0.1, 440)), atol=1e-4)
    assert len(enhancer.enhance(tone(0.1, 440, 8000), 8000)) == 1600


def test_what_can_not_enhance():
    model = Gate(streams=False)
    with pytest.raises(ValueError, match="model 'gate' can't stream"):
        Enhancer(model).stream()
    model.spec["heads"] = {"keyword": {"type": "classifier", "label": "keyword"}}
    with pytest.raises(ValueError, match="'gate' has no head of type enhancement; it has: keyword"):
        Enhancer(model)
