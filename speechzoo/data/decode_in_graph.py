"""Decoding inside a TensorFlow graph with tensorflow-io, the one place that uses it: `decoder="graph"` of a pipeline.

It is for pipelines whose graph must not wait for Python, and is several times slower than soundfile. Its decoder of
FLAC believes whatever a header says, so it gets the records that `speechzoo prepare` wrote and nothing else.
"""

import functools

import numpy as np
import tensorflow as tf

from speechzoo.audio import encode_flac
from speechzoo.data.audio_reader import AudioReader


def read_with_soundfile(reader: AudioReader, index):
    """Audio of one utterance, tf.float32 (samples,), decoded by libsndfile."""
    # Python holds the others up for a moment only: libsndfile decodes outside of its lock.
    return tf.ensure_shape(tf.numpy_function(reader.read, [index], tf.float32), [None])


def read_in_graph(reader: AudioReader, index):
    """The same samples; those of prepared records are decoded in the graph where tensorflow-io's operations load.

    Args:
        reader: Reads the bytes, and all that is no such record.
        index: tf.int64 scalar, number of the utterance.
    """
    decode_flac = _decode_flac()
    if decode_flac is None:
        return read_with_soundfile(reader, index)
    contents = tf.ensure_shape(tf.numpy_function(reader.prepared_flac, [index], tf.string), [])

    def decode():
        return tf.ensure_shape(tf.cast(decode_flac(contents, dtype=tf.int16)[:, 0], tf.float32) / 32768.0, [None])

    return tf.cond(tf.strings.length(contents) > 0, decode, lambda: read_with_soundfile(reader, index))


@functools.cache
def _decode_flac():
    """tensorflow-io's operation, or None where it doesn't load (decided once, at first use)."""
    try:
        import tensorflow_io
        with tf.init_scope():  # the first use may be inside of a graph that is being traced
            tensorflow_io.audio.decode_flac(encode_flac(np.zeros(16, np.float32)), dtype=tf.int16)
    except (ImportError, AttributeError, NotImplementedError, OSError, tf.errors.OpError):
        return None
    return tensorflow_io.audio.decode_flac
