"""When somebody speaks, from alignments and from what sources say of themselves."""

import numpy as np

from speechzoo.config import DataConfig, SourceConfig
from speechzoo.data.batching import BatchPlan
from speechzoo.data.manifest import write_manifest
from speechzoo.data.speech_labels import label_of, speech_of_alignment
from speechzoo.heads import FrameClassifierHead

ALIGNMENT = [["SIL", 0.3], ["AH", 0.4], ["P", 0.5], ["SIL", 1.0]]
SPEECH = [["none", 0.3], ["speech", 0.5], ["none", 1.0]]


def test_phones_are_speech_and_silence_is_none():
    assert speech_of_alignment(ALIGNMENT) == SPEECH
    assert speech_of_alignment([["AH", 1.0]]) == [["speech", 1.0]]
    assert speech_of_alignment([["SIL", 1.0]]) == [["none", 1.0]]
    assert speech_of_alignment([]) == []


def test_short_pauses_are_speech_within_speech_only():
    pairs = [["SIL", 0.1], ["AH", 0.5], ["SIL", 0.69], ["P", 0.8], ["SIL", 1.0], ["T", 1.2], ["SIL", 1.3]]
    assert speech_of_alignment(pairs) == [["none", 0.1], ["speech", 0.8], ["none", 1.0], ["speech", 1.2], ["none", 1.3]]


def test_where_a_label_comes_from():
    aligned, silent, said = {"alignment": ALIGNMENT}, {}, {"alignment": ALIGNMENT, "speech": "none"}
    source = SourceConfig("a.jsonl", labels=["transcript", "speech"])
    assert label_of(source, aligned, "speech") == SPEECH and label_of(source, aligned, "alignment") is None
    assert label_of(source, silent, "speech") is None and label_of(source, said, "speech") == "none"
    assert label_of(SourceConfig("a.jsonl", labels=["transcript"]), aligned, "speech") is None
    noises = SourceConfig("a.jsonl", default_labels={"speech": "none"})
    assert label_of(noises, silent, "speech") == "none" and label_of(noises, aligned, "speech") == SPEECH


def test_training_reads_all_kinds(tmp_path):
    lines = [{"alignment": ALIGNMENT}, {"speech": "speech"}, {"speech": SPEECH}, {"transcript": "up"}]
    write_manifest(tmp_path / "a.jsonl", [{"audio": "a.wav", "duration": 1.0, **line} for line in lines])
    write_manifest(tmp_path / "noises.jsonl", [{"audio": "b.wav", "duration": 1.0}])
    sources = [SourceConfig("a.jsonl"), SourceConfig("noises.jsonl", default_labels={"speech": "none"})]
    head = FrameClassifierHead(["none", "speech"], name="speech")
    # As few frames as there may be: times need no frame each, as units of CTC do.
    plan = BatchPlan(sources, DataConfig(root=str(tmp_path)), {"speech": head}, frame_seconds=0.5)
    assert plan.report()["labels"] == {"speech": 4} and not plan.report()["unused_labels"]
    targets = plan.examples.targets("speech", np.arange(5), 3).tolist()
    assert targets[0] == targets[2] == [[1, 30], [2, 50], [1, 100]]
    assert [row[0][0] for row in targets] == [1, 2, 1, 0, 1] and targets[4][1:] == [[0, 0], [0, 0]]


def test_transcripts_are_read_as_they_are_spoken():
    source = SourceConfig("m.jsonl")
    for written, spoken in (("GO UP", "go up"), ("it\u2019s 3!", "it's three"), ("caf\u00e9", "cafe"), ("go up", "go up")):
        assert label_of(source, {"transcript": written}, "transcript") == spoken
    assert label_of(source, {"transcript": "F\u00dcR 5", "language": "de"}, "transcript") == "f\u00fcr 5"
    assert label_of(source, {"sentence": "GO"}, "sentence") == "GO" and label_of(source, {}, "transcript") is None
