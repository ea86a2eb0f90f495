"""A tiny corpus with every kind of utterance that batches are made of, for the tests of batching, pipeline and feed."""

import numpy as np

from speechzoo.audio import encode_flac
from speechzoo.data.manifest import write_manifest
from speechzoo.data.records import RecordWriter, encode_example
from tests.helpers import tone, write_wav


class LabelIndex:
    """A head as the data rooms see it: one of a list of names."""

    target_shape, target_dtype, frame_per_unit = (), "int32", False
    unlabelled = clean_target = False

    def __init__(self, label, names):
        self.label, self.names = label, names

    def encode(self, value):
        if value not in self.names:
            raise ValueError(f"unknown {self.label} '{value}'")
        return np.int32(self.names.index(value))


class Letters:
    """A head with sequences: letters as numbers."""

    target_shape, target_dtype, frame_per_unit = (None,), "int32", True
    unlabelled = clean_target = False

    def __init__(self, label):
        self.label = label

    def encode(self, value):
        return np.array([ord(letter) - ord("a") + 1 for letter in value], np.int32)


class Clean:
    """A head that learns to give recordings without noise, of those of a keyword."""

    label, target_shape, target_dtype, frame_per_unit = "keyword", (2, None), "float32", False
    unlabelled, clean_target = False, True

    def encode(self, value):
        return np.zeros((2, 0), np.float32)


HEADS = {"keyword": LabelIndex("keyword", ["yes", "no"]), "letters": Letters("transcript")}


def make_corpus(folder, count=24, seed=0):
    """`count` utterances of 0.3 to 1.9 s: even ones as records of a shard, odd ones as WAV files; returns the manifest."""
    random = np.random.default_rng(seed)
    utterances = []
    with RecordWriter(folder / "shard.tfrecord") as shard:
        for number in range(count):
            seconds = float(np.round(random.uniform(0.3, 1.9), 2))
            audio = tone(seconds, 200 + 20 * number, seed=number)
            utterance = {"id": f"u{number}", "audio": f"wav/{number}.wav", "duration": seconds, "split": "train"}
            if number % 2:
                write_wav(folder / utterance["audio"], audio)
            else:
                offset, length = shard.write(encode_example({"audio": encode_flac(audio), "utterance": b"{}"}))
                utterance["record"] = {"shard": "shard.tfrecord", "offset": offset, "length": length}
            if number % 3:
                utterance["keyword"] = "yes" if number % 3 == 1 else "no"
            if number % 4:
                utterance["transcript"] = "abcde"[:1 + number % 5]
            utterances.append(utterance)
    write_manifest(folder / "train.jsonl", utterances)
    return folder / "train.jsonl"
