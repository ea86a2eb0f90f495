"""What the graph decodes is what Python decodes."""

import builtins

import numpy as np
import pytest
import tensorflow as tf

from speechzoo.data import decode_in_graph
from speechzoo.data.audio_reader import AudioReader
from tests.data.batch_corpus import make_corpus
from tests.data.test_pipeline import make_plan


@pytest.fixture
def reader(tmp_path):
    make_corpus(tmp_path)
    return AudioReader(make_plan(tmp_path).examples)


def test_prepared_records_alone_are_decoded_in_the_graph(reader, monkeypatch):
    if decode_in_graph._decode_flac() is None:
        pytest.skip("tensorflow-io's audio operations don't load with this TensorFlow")
    counts = [len(reader.prepared_flac(index)) > 0 for index in range(len(reader.examples.audio))]
    assert any(counts) and not all(counts)
    expected = [reader.read(index) for index in range(len(counts))]
    monkeypatch.setattr(reader, "read", lambda index: np.full(3, 9, np.float32))
    dataset = tf.data.Dataset.range(len(counts)).map(lambda index: decode_in_graph.read_in_graph(reader, index))
    for prepared, audio, known in zip(counts, dataset.as_numpy_iterator(), expected, strict=True):
        np.testing.assert_array_equal(audio, known if prepared else [9, 9, 9])


def test_records_at_another_rate_are_left_to_python(reader):
    other = AudioReader(reader.examples, 8000)
    assert not any(len(other.prepared_flac(index)) for index in range(len(reader.examples.audio)))


def test_tensorflow_io_that_does_not_load(monkeypatch):
    original = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "tensorflow_io":
            raise NotImplementedError("undefined symbol")
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert decode_in_graph._decode_flac.__wrapped__() is None
