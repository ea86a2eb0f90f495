"""What was learnt, opened together and added to recognitions."""

import numpy as np
import pytest

from speechzoo.decoding.recognition import Recognition
from speechzoo.edge.learnt import Learnt
from speechzoo.edge.voices import Voices
from tests.fake_model import FakeModel
from tests.helpers import tone


SPOKEN = 2.0 * tone(0.5)


def test_voices_are_opened_and_named_with_and_without_a_recording(tmp_path):
    voices = Voices(FakeModel())
    voices.enroll("anna", [SPOKEN])
    voices.save(tmp_path / "voices.npz")
    learnt = Learnt.open(FakeModel(silent=[0]), voices=tmp_path / "voices.npz")
    assert learnt.voices.names == ["anna"] and learnt.words is None
    embedding = FakeModel().recognize(SPOKEN).speaker
    for result, audio in ((Recognition(speaker=embedding), None), (Recognition(), SPOKEN)):
        learnt.complete(result, audio)
        assert result.labels == {"voice": "anna"} and result.confidence["voice"] == pytest.approx(1.0)
    nobody = Recognition()
    learnt.complete(nobody)
    assert nobody == Recognition()
    silent = Recognition(unanswered=["speaker"])
    learnt.complete(silent, 0.6 * tone(0.5))
    assert silent.labels == {"voice": "_unknown_"} and silent.confidence == {"voice": 0.0}


def test_nothing_learnt_completes_nothing():
    result = Recognition(transcript="go")
    Learnt.open(FakeModel()).complete(result, np.zeros(16000, np.float32))
    assert result == Recognition(transcript="go")


@pytest.mark.parametrize("files, message", [
    ({"words": "words.npz"}, "exported files learn words: .*--signatures learn --out DIR"),
    ({"owner": "owner.npz"}, "exported files adapt to their owners: .*--signatures adapt --out DIR"),
])
def test_only_exported_files_learn_words_and_owners(files, message):
    with pytest.raises(ValueError, match=message):
        Learnt.open(FakeModel(), **files)


def test_voices_and_words_are_read_before_the_model_hears_as_adapted(monkeypatch):
    """They are known by how the model heard when they were learnt, as the commands on docs/learning.md learn them."""
    read = []
    for name in ("Voices", "CustomWords", "Owner"):
        learnt = type(name, (), {"__init__": lambda self, model: None,
                                 "load": lambda self, path: read.append(type(self).__name__)})
        monkeypatch.setattr(f"speechzoo.edge.learnt.{name}", learnt)
    Learnt.open(FakeModel(), voices="voices.npz", words="words.npz", owner="owner.npz")
    assert sorted(read[:2]) == ["CustomWords", "Voices"] and read[2] == "Owner"
