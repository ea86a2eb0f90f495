"""benchmarks/quality/wake_word.py: what is compared with the threshold, and what counts as a false alarm."""

import json

import numpy as np
import pytest

from benchmarks.quality import wake_word
from speechzoo.data.manifest import write_manifest
from speechzoo.exporters.esphome import EsphomeModel
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav

MANIFEST = {"wake_word": "computer", "model": "computer.tflite", "micro": {"probability_cutoff": 0.9, "sliding_window_size": 5}}


def test_smoothing_begins_with_nothing():
    posteriors = np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0], [0.0, 0.0]])
    expected = [[0.5, 0.0], [1.0, 0.25], [0.5, 0.75], [0.0, 0.5]]
    np.testing.assert_allclose(wake_word.smoothed(posteriors, 2), expected)
    np.testing.assert_allclose(wake_word.smoothed(posteriors[:, 0], 4), [0.25, 0.5, 0.5, 0.5])


def test_a_device_that_has_just_woken_up_does_not_wake_again():
    posterior = np.zeros(100)
    posterior[[10, 11, 14, 15, 60]] = 0.9
    # 2 s are 4 hops of 0.5 s: 14 is the first that counts again. At hops of 40 ms, 50: 60 is.
    assert wake_word.count_alarms(posterior, 0.9, hop_seconds=0.5) == 3
    assert wake_word.count_alarms(posterior, 0.9, hop_seconds=0.04) == 2
    assert wake_word.count_alarms(posterior, 0.91, hop_seconds=0.5) == 0


@pytest.fixture
def recordings(tmp_path):
    """Manifests of two loud words and a quiet one, and of 20 s that are none."""
    levels = {"loud": 0.5, "louder": 0.9, "quiet": 0.1}
    for name, level in levels.items():
        write_wav(tmp_path / f"{name}.wav", level * tone(1.0) / np.abs(tone(1.0)).max())
    write_wav(tmp_path / "radio.wav", np.tile(tone(1.0), 20) * 0.01)
    write_manifest(tmp_path / "words.jsonl", [{"id": name, "audio": f"{name}.wav", "keyword": "hey"} for name in levels])
    write_manifest(tmp_path / "other.jsonl", [{"id": "radio", "audio": "radio.wav", "keyword": "_silence_"}])
    return [str(tmp_path / "words.jsonl")], [str(tmp_path / "other.jsonl")]


def test_the_best_moment_of_each_recording_and_the_hours_of_the_others(recordings):
    loudness = wake_word.Detector({"hey": 0.3}, {"hey": 1}, 0.1, 16000,
                                  lambda audios: [{"hey": np.abs(audio[:len(audio) // 1600 * 1600]).reshape(-1, 1600).max(1)}
                                                  for audio in audios])
    heard = wake_word.listen_to(loudness, *recordings, maximum_hours=1.0)["hey"]
    np.testing.assert_allclose(sorted(posteriors.max() for posteriors in heard.words), [0.1, 0.5, 0.9], atol=1e-3)
    assert [len(stream) for stream in heard.streams] == [200] and heard.hours == pytest.approx(20 / 3600)
    assert len(wake_word.listen_to(loudness, *recordings, maximum_hours=1.0, maximum=2)["hey"].words) == 2
    with pytest.raises(SystemExit, match="'hey' stands in --other"):
        wake_word.listen_to(loudness, recordings[0], recordings[0], maximum_hours=1.0)


def test_a_curve_counts_what_the_mean_of_the_window_reaches():
    short, long = np.zeros(20), np.zeros(20)
    short[5], long[5:9] = 1.0, 0.8
    stream = np.zeros(100)
    stream[[20, 80]] = 0.9
    thresholds = np.array([0.3, 0.5, 0.85])
    heard = wake_word.Heard([short, long], [stream], [7200.0], ["anna"])
    alone = wake_word.curve(heard, 1, thresholds, hop_seconds=0.1)
    assert alone.misses == [0.0, 0.0, 0.5] and alone.false_alarms_per_hour == [1.0, 1.0, 1.0] and alone.quiet == 2
    mean = wake_word.curve(heard, 3, thresholds, hop_seconds=0.1)
    assert mean.misses == [0.0, 0.5, 1.0] and mean.false_alarms_per_hour == [1.0, 0.0, 0.0] and mean.quiet == 1


def test_exports_for_esphome_hear_the_device_features(tmp_path, monkeypatch):
    pytest.importorskip("pymicro_features", reason="pymicro-features comes with the extra [dev]")
    heard = []

    class Network:
        """Says 1 at every step, of 4 frames."""
        step_frames = 4

        def __init__(self, network):
            assert network == b"network"

        def probabilities(self, features):
            heard.append(features)
            return np.ones(len(features) // 4, np.float32)

    assert Network.probabilities.__code__.co_argcount == EsphomeModel.probabilities.__code__.co_argcount
    monkeypatch.setattr(wake_word, "EsphomeModel", Network)
    (tmp_path / "computer.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "computer.tflite").write_bytes(b"network")
    detector = wake_word.esphome([tmp_path / "computer.json"])
    assert detector.thresholds == {"computer": 0.9} and detector.windows == {"computer": 5} and detector.hop_seconds == pytest.approx(0.04)
    found = detector.posteriors([tone(1.0).astype(np.float32)])[0]["computer"]
    assert heard[0].shape == (100, 40) and len(found) == 25
    np.testing.assert_array_equal(found, 1.0)


def test_a_choice_is_written_into_the_manifest_of_its_word(tmp_path):
    paths = [tmp_path / "computer.json", tmp_path / "alexa.json"]
    for path in paths:
        path.write_text(json.dumps({**MANIFEST, "wake_word": path.stem}))
    wake_word.write_choice("alexa", paths, np.float64(0.62), 3)
    assert json.loads(paths[1].read_text())["micro"] == {"probability_cutoff": 0.62, "sliding_window_size": 3}
    assert json.loads(paths[0].read_text()) == MANIFEST


def test_a_model_hears_the_windows_of_listen():
    detector = wake_word.listening(FakeModel())
    assert set(detector.thresholds) == {"yes", "no"} and detector.sample_rate == 16000
    found, short = detector.posteriors([np.full(16000, 0.2, np.float32), np.full(8000, 0.2, np.float32)])  # "yes", 9 to 0
    assert len(short["yes"]) == round(0.5 / detector.hop_seconds)
    hops = round(1 / detector.hop_seconds)
    assert set(found) == {"yes", "no"} and len(found["yes"]) == hops
    np.testing.assert_allclose(found["yes"], np.exp(9) / (np.exp(9) + 2), rtol=1e-6)
    assert detector.windows["yes"] == wake_word.SMOOTHED


def test_a_threshold_with_few_false_alarms_that_misses_little():
    """One alarm in 10 hours is allowed, so 0.6 is the least threshold; up to 0.8 nothing more is missed."""
    words = [np.array([0.0, level, 0.0]) for level in (*[0.85] * 39, 0.3)]
    streams = [np.array([0.5]), np.array([0.5]), np.zeros(1)]

    def heard(words, hours=1.0):
        return wake_word.Heard(words, streams, 3 * [3600 * hours / 3], ["anna", "bert", "carl"])

    thresholds = np.array([0.2, 0.4, 0.6, 0.8, 0.9])
    assert wake_word.choose_threshold(wake_word.curve(heard(words), 1, thresholds, 0.2)) == 0.8
    assert wake_word.choose_threshold(wake_word.curve(heard(words, 10.0), 1, thresholds, 0.2)) == 0.2  # as many in ten hours
    assert wake_word.choose_threshold(wake_word.curve(heard(words[-10:]), 1, thresholds, 0.2)) is None  # 10 % missed
    noisy = wake_word.Heard(words, [np.array([0.95])], [3600.0], ["anna"])
    assert wake_word.choose_threshold(wake_word.curve(noisy, 1, thresholds, 0.2)) is None


def test_each_half_at_the_threshold_of_the_other():
    """Anna's speech comes up to 0.5 and Bert's to 0.7: chosen on her, the threshold lets his wake."""
    words = 40 * [np.array([0.99])]
    heard = wake_word.Heard(words, [np.array([0.5]), np.array([0.7])], [3600.0, 3600.0], ["anna", "bert"])
    assert heard.half(False).speakers == ["anna"] and len(heard.half(True).words) == 20
    assert wake_word.held_out(heard, 1, 0.2) == (0.0, 0.0)  # up to 0.99 nothing is missed
    heard.words[0] = heard.words[1] = np.array([0.6])  # so they choose below
    missed, alarms = wake_word.held_out(heard, 1, 0.2)
    assert missed == 1 / 40 and alarms == 0.5


def test_steps_are_heard_side_by_side_as_alone():
    """Logits of each step are the samples' mean and how many steps came before, in whatever lane a recording is."""
    class Streaming:
        spec = {"stream": {"step_samples": 4}}

        def initial_state(self, batch=1):
            return np.zeros(batch)

        def stream_step(self, samples, state):
            return {"keyword": np.stack([samples.mean(axis=1), state], axis=1)}, state + 1

    audios = [np.arange(12.0), np.arange(9.0) + 100, np.arange(4.0) - 50]
    alone = wake_word.hear_steps(Streaming(), audios)
    assert [len(each) for each in alone] == [3, 2, 1]
    np.testing.assert_allclose(alone[1], [[101.5, 0], [105.5, 1]])
    beside = Streaming()
    beside.heads = {}
    found = wake_word.hear_steps(beside, audios)
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(alone))
