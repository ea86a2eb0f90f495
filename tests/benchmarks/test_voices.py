"""Voices of dev recordings: which are compared, and how the table shows it."""

import numpy as np

from benchmarks.quality.parts import Part
from benchmarks.quality.voices import ROWS, embeddings, figures_of
from tools.figures import write_figures
from tools.tables.plain import TABLES


class LengthModel:
    """Hears nothing but how long a recording is; notes the batches that it was given."""

    spec = {"sample_rate": 16000, "heads": {"who": {"type": "speaker", "label": "speaker"}}}

    def __init__(self):
        self.batches = []

    def batch_outputs(self, audio, heads):
        assert heads == ["who"]
        self.batches.append(len(audio))
        return [{"who": np.array([len(samples) / 16000, 1.0])} for samples in audio]


class ToneOfLength(Part):
    """Recordings that are as long as their `duration` says."""

    def audio(self, utterance, sample_rate):
        return np.zeros(round(utterance["duration"] * sample_rate), np.float32)


def test_every_recording_with_a_speaker_is_heard_once_the_shortest_first(tmp_path):
    durations = np.random.default_rng(0).permutation(np.arange(1, ROWS + 4))
    utterances = [{"duration": int(seconds), "speaker": str(seconds)} for seconds in durations]
    part, model = ToneOfLength("some", tmp_path, [*utterances, {"duration": 1}]), LengthModel()
    vectors, spoken = embeddings(model, [part])
    assert model.batches == [ROWS, 3]
    assert [item["duration"] for item in spoken] == sorted(durations)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [item["duration"] for item in spoken])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)


def test_together_means_the_mean_of_the_cosines():
    """Two people, whom each of two embeddings alone takes for one another where the other does not."""
    spoken = [{"speaker": name} for name in "aabb"]
    first = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], float)
    second = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], float)
    together = np.concatenate([first, second], axis=1)
    np.testing.assert_allclose(together @ together.T / 2, (first @ first.T + second @ second.T) / 2)
    row, unheard = figures_of("both", "some", together, spoken)
    assert (row["model"], row["voices"], row["n"], unheard["n"]) == ("both", 2, 4, 4)
    assert row["low"] <= row["eer"] <= row["high"]


def test_other_models_stand_beside_on_as_many_recordings(tmp_path):
    row = {"model": "ge2e", "corpus": "some", "speakers": "all", "voices": 4, "n": 30, "eer": 0.0512, "low": 0.04,
           "high": 0.0649}
    write_figures(tmp_path / "voices.csv", [row, {**row, "speakers": "unheard", "n": 20}])
    other = {"model": "mine", "corpus": "some", "head": "speaker", "metric": "eer", "n": 30, "value": 0.1, "low": 0.09,
             "high": 0.2, "speakers": "all"}
    write_figures(tmp_path / "compare.csv", [other, {**other, "metric": "wer"}, {**other, "speakers": "unheard"}])
    assert TABLES["voices"](tmp_path) == [
        "| corpus | speakers | people | n | ge2e | mine |", "| --- | --- | ---: | ---: | ---: | ---: |",
        "| some | all | 4 | 30 | 5.1 % (4.0 to 6.5) | 10.0 % (9.0 to 20.0) |",
        "| some | unheard | 4 | 20 | 5.1 % (4.0 to 6.5) |  |"]
