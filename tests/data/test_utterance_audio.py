import json

import numpy as np
import pytest

from speechzoo.audio import AudioError, encode_flac, load_audio
from speechzoo.config import SourceConfig
from speechzoo.data.examples import Examples
from speechzoo.data.records import RecordError, RecordWriter, encode_example
from speechzoo.data.utterance_audio import read_utterance_audio
from tests.helpers import tone, write_wav


def test_a_file_and_a_part_of_it(tmp_path):
    path = write_wav(tmp_path / "deep" / "a.wav", tone(1.0, seed=1))
    whole = load_audio(path)
    np.testing.assert_array_equal(read_utterance_audio({"audio": "deep/a.wav"}, tmp_path), whole)
    np.testing.assert_array_equal(read_utterance_audio({"audio": str(path)}, "elsewhere"), whole)
    part = {"audio": "deep/a.wav", "start": 0.25, "duration": 0.5}
    np.testing.assert_array_equal(read_utterance_audio(part, tmp_path), whole[4000:12000])
    with pytest.raises(AudioError, match="missing.wav: no such file"):
        read_utterance_audio({"audio": "missing.wav"}, tmp_path)


def test_a_record_comes_before_the_file_it_was_made_of(tmp_path):
    audio = tone(0.5, seed=1)
    with RecordWriter(tmp_path / "s.tfrecord") as writer:
        offset, length = writer.write(encode_example({"audio": encode_flac(audio), "utterance": b"{}"}))
    utterance = {"audio": "gone.wav", "start": 3.0, "duration": 0.5, "record": {"shard": "s.tfrecord", "offset": offset,
                                                                            "length": length}}
    np.testing.assert_allclose(read_utterance_audio(utterance, tmp_path), audio, atol=1 / 32768)
    assert len(read_utterance_audio(utterance, tmp_path, sample_rate=8000)) == 4000
    with pytest.raises(AudioError, match="longer than 0.2 s"):
        read_utterance_audio(utterance, tmp_path, maximum_seconds=0.2)
    utterance["record"]["offset"] = 1
    with pytest.raises(RecordError, match="s.tfrecord"):
        read_utterance_audio(utterance, tmp_path)
    utterance["record"]["shard"] = "t.tfrecord"
    with pytest.raises(AudioError, match="t.tfrecord: no such file"):
        read_utterance_audio(utterance, tmp_path)


def test_labels_are_of_all_that_is_asked_for(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(AudioError, match="0.50 s to 1.50 s was asked for, and the recording ends at 1.00 s"):
        read_utterance_audio({"audio": "a.wav", "start": 0.5, "duration": 1.0}, tmp_path)
    path.write_bytes(path.read_bytes()[:16000])
    with pytest.raises(AudioError, match="truncated"):
        read_utterance_audio({"audio": "a.wav"}, tmp_path)
    assert len(read_utterance_audio({"audio": "a.wav", "duration": 0.25}, tmp_path)) == 4000


def test_a_start_behind_the_end_is_left_out_and_said(tmp_path):
    write_wav(tmp_path / "a.wav", tone(1.0))
    lines = [{"audio": "a.wav", "keyword": "yes"}, {"audio": "a.wav", "keyword": "yes", "start": 2.0}]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    examples = Examples([SourceConfig("m.jsonl")], {}, tmp_path)
    assert examples.seconds.tolist() == [1.0]
    assert examples.left_out == {"start lies behind the end of the recording": 1}
