"""What the graph decodes is what Python decodes."""

import numpy as np
import pytest
import tensorflow as tf

from speechzoo.audio import load_audio
from speechzoo.data import decode_in_graph
from speechzoo.data.decode_in_graph import decode_audio
from tests.helpers import encoded, tone

IN_GRAPH = {
    "wav": (dict(container="WAV"), 0), "wav 24": (dict(container="WAV", subtype="PCM_24"), 0),
    "wav 44.1 kHz": (dict(container="WAV", sample_rate=44100), 0),
    "flac": (dict(container="FLAC"), 0), "flac 24": (dict(container="FLAC", subtype="PCM_24"), 0),
    "flac 44.1 kHz": (dict(container="FLAC", sample_rate=44100), 0),
    "vorbis": (dict(container="OGG"), 1e-5), "vorbis 44.1 kHz": (dict(container="OGG", sample_rate=44100), 1e-5),
    "opus": (dict(container="OGG", subtype="OPUS"), 0),
    "mp3": (dict(container="MP3"), 1e-5), "mp3 44.1 kHz": (dict(container="MP3", sample_rate=44100), 1e-5),
}


@pytest.fixture(params=["tensorflow-io", "soundfile"])
def decoders(request, monkeypatch):
    if request.param == "soundfile":
        monkeypatch.setattr(decode_in_graph, "_graph_decoders", lambda: None)
    elif decode_in_graph._graph_decoders() is None:
        pytest.skip("tensorflow-io's audio operations don't load with this TensorFlow")
    return request.param


def test_graph_decodes_as_python_does(decoders):
    contents, expected, tolerances = [], [], []
    for arguments, tolerance in IN_GRAPH.values():
        for channels in (1, 2):
            rate = arguments.get("sample_rate", 16000)
            samples = np.stack([tone(0.5, 300 * (channel + 1), rate, seed=1) for channel in range(channels)], axis=1)
            contents.append(encoded(samples, **arguments))
            expected.append(load_audio(contents[-1]))
            tolerances.append(tolerance)
    dataset = tf.data.Dataset.from_tensor_slices(contents).map(decode_audio)
    assert dataset.element_spec == tf.TensorSpec([None], tf.float32)
    for audio, reference, tolerance in zip(dataset.as_numpy_iterator(), expected, tolerances, strict=True):
        np.testing.assert_allclose(audio, reference, atol=tolerance, rtol=0)
    flac = tf.data.Dataset.from_tensors(contents[6])
    flac = flac.map(lambda data: decode_audio(data, 8000, container="flac"))
    np.testing.assert_array_equal(next(flac.as_numpy_iterator()), load_audio(contents[6], 8000))


def test_graph_reports_what_is_not_audio(decoders):
    for data in (b"", b"text", b"fLaC" + bytes(60)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            list(tf.data.Dataset.from_tensors(data).map(decode_audio))


def test_graph_decodes_outside_of_a_graph_too(decoders):
    for container in ("WAV", "FLAC"):
        data = encoded(tone(0.1, sample_rate=44100), container, 44100)
        np.testing.assert_array_equal(decode_audio(tf.constant(data)), load_audio(data))


def test_tensorflow_io_that_does_not_load(monkeypatch):
    import builtins
    original = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "tensorflow_io":
            raise NotImplementedError("undefined symbol")
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert decode_in_graph._graph_decoders.__wrapped__() is None
