"""Decoding inside a TensorFlow graph with tensorflow-io, the one place that uses it: `decoder="graph"` of a pipeline.

It gives what soundfile gives and is several times slower; it is for pipelines whose graph must not wait for Python.
"""

import functools

import numpy as np
import tensorflow as tf

from speechzoo.audio import SAMPLE_RATE, audio_info, encode_flac, load_audio, resample
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.utterance_audio import File


def read_with_soundfile(reader: AudioReader, index):
    """Audio of one utterance, tf.float32 (samples,), decoded by libsndfile."""
    # Python holds the others up for a moment only: libsndfile decodes outside of its lock.
    return tf.ensure_shape(tf.numpy_function(reader.read, [index], tf.float32), [None])


def read_in_graph(reader: AudioReader, index):
    """Audio of one utterance, tf.float32 (samples,), as `reader.read` gives it, decoded by `decode_audio`.

    Args:
        reader: Reads the bytes; what can't be decoded is empty, and counted in its `failures`.
        index: tf.int64 scalar, number of the utterance.
    """
    def cut(index):
        """First and last sample (-1: the end) of a part of a recording; records hold just the part."""
        place = reader.examples.audio[index]
        start, duration = (place.start, place.duration) if isinstance(place, File) else (0.0, None)
        first = int(round(start * reader.sample_rate))
        return np.int32(first), np.int32(-1 if duration is None else first + int(round(duration * reader.sample_rate)))

    def decode(index):
        contents = tf.ensure_shape(tf.numpy_function(reader.read_bytes, [index], tf.string), [])
        first, last = tf.numpy_function(cut, [index], [tf.int32, tf.int32])
        audio = decode_audio(contents, reader.sample_rate)
        return audio[first:tf.where(last < 0, tf.size(audio), last)]

    # A graph can't catch an error, but a dataset can ignore one: what fails here is read once more outside of the
    # graph, which says what is wrong with it.
    place = tf.data.Dataset.from_tensors(index)
    again = place.map(lambda index: read_with_soundfile(reader, index))
    return place.map(decode).ignore_errors().concatenate(again).take(1).get_single_element()


def decode_audio(contents, sample_rate: int = SAMPLE_RATE, container: str | None = None):
    """Decodes the bytes of a recording inside a TensorFlow graph; what comes out is what `load_audio` gives.

    16-bit FLAC, Vorbis and MP3 are decoded by tensorflow-io where its operations load (decided once, at first use),
    everything else, and all of it elsewhere, by soundfile through tf.numpy_function.

    Args:
        contents: tf.string scalar, the bytes of a file.
        sample_rate: Hz of the result.
        container: `flac` when all recordings are (as in prepared shards): leaves the other branches out of the graph.

    Returns:
        tf.float32 (samples,). A recording that can't be decoded raises tf.errors.InvalidArgumentError when reached.
    """
    def with_soundfile():
        audio = tf.numpy_function(lambda data: load_audio(_bytes(data), sample_rate), [contents], tf.float32)
        return tf.ensure_shape(audio, [None])

    decoders = _graph_decoders()
    if decoders is None:
        return with_soundfile()
    header = tf.strings.substr(tf.strings.join([contents, b"\0" * 64]), 0, 64)
    header = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int32)

    def starts_with(magic, position=0):
        return tf.reduce_all(header[position:position + len(magic)] == list(magic))

    def finished(samples, rate):
        audio = tf.clip_by_value(tf.reduce_mean(samples, axis=1), -1.0, 1.0)
        audio = tf.cond(tf.equal(rate, sample_rate), lambda: audio, lambda: tf.numpy_function(
            lambda values, hz: np.clip(resample(values, int(hz), sample_rate), -1.0, 1.0), [audio, rate], tf.float32))
        return tf.ensure_shape(audio, [None])

    # STREAMINFO packs, from byte 18: sample rate (20 bits), channels - 1 (3 bits), bits per sample - 1 (5 bits).
    flac_rate = header[18] * 4096 + header[19] * 16 + header[20] // 16
    is_flac = tf.logical_and(starts_with(b"fLaC"), (header[20] % 2) * 16 + header[21] // 16 == 15)

    def flac():
        return finished(tf.cast(decoders.decode_flac(contents, dtype=tf.int16), tf.float32) / 32768.0, flac_rate)

    if container == "flac":
        return tf.cond(is_flac, flac, with_soundfile)
    is_vorbis = tf.logical_and(starts_with(b"OggS"), starts_with(b"\x01vorbis", 28))
    vorbis_rate = header[40] + header[41] * 256 + header[42] * 65536
    is_mp3 = tf.logical_or(starts_with(b"ID3"), tf.logical_and(header[0] == 0xFF, header[1] // 32 == 7))

    def vorbis():
        return finished(decoders.decode_vorbis(contents), vorbis_rate)

    def mp3():
        rate = tf.numpy_function(lambda data: np.int32(audio_info(_bytes(data)).sample_rate), [contents], tf.int32)
        return finished(decoders.decode_mp3(contents), rate)

    return tf.case([(is_flac, flac), (is_vorbis, vorbis), (is_mp3, mp3)], default=with_soundfile, exclusive=False)


def _bytes(data) -> bytes:
    # A string comes to tf.numpy_function as bytes inside of a graph and as an array of one object outside.
    return data if isinstance(data, bytes) else data.item()


@functools.cache
def _graph_decoders():
    """tensorflow-io's audio module, or None where its operations don't load."""
    try:
        import tensorflow_io
        with tf.init_scope():  # the first use may be inside of a graph that is being traced
            tensorflow_io.audio.decode_flac(encode_flac(np.zeros(16, np.float32)), dtype=tf.int16)
    except (ImportError, AttributeError, NotImplementedError, OSError, tf.errors.OpError):
        return None
    return tensorflow_io.audio
