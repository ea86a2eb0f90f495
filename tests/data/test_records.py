import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.data.records import RecordError, RecordWriter, crc32c, decode_example, encode_example, read_record

EXAMPLES = [encode_example({"audio": np.random.default_rng(size).bytes(size), "utterance": b'{"id": "%d"}' % size})
            for size in (0, 1, 3, 127, 128, 5000, 70000)]


@pytest.fixture
def shard(tmp_path):
    """(path, places of `EXAMPLES` in it)."""
    path = tmp_path / "audio.tfrecord"
    with RecordWriter(path) as writer:
        places = [writer.write(example) for example in EXAMPLES]
    return path, places


def test_crc32c_has_the_published_values():
    # RFC 3720, section B.4, and the check value of the CRC catalogue.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


@given(st.binary(max_size=300))
def test_crc32c_equals_the_bit_by_bit_definition(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    assert crc32c(data) == crc ^ 0xFFFFFFFF


def test_records_are_read_in_any_order(shard):
    path, places = shard
    for index in (3, 0, 6, 1, 5, 2, 4):
        assert read_record(path, *places[index], verify=True) == EXAMPLES[index]
    assert sum(length for _, length in places) == path.stat().st_size


def test_tensorflow_reads_the_shards(shard):
    import tensorflow as tf
    features = {"audio": tf.io.FixedLenFeature([], tf.string), "utterance": tf.io.FixedLenFeature([], tf.string)}
    records = list(tf.data.TFRecordDataset(str(shard[0])).as_numpy_iterator())
    assert records == EXAMPLES
    for record in records:
        parsed = tf.io.parse_single_example(record, features)
        assert {name: value.numpy() for name, value in parsed.items()} == decode_example(record)


def test_records_of_tensorflow_are_read(tmp_path):
    import tensorflow as tf
    path = str(tmp_path / "a.tfrecord")
    example = tf.train.Example()
    example.features.feature["utterance"].bytes_list.value.append(b"{}")
    example.features.feature["audio"].bytes_list.value.append(b"\0" * 1000)
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"first")
        writer.write(example.SerializeToString())
    assert decode_example(read_record(path, 16 + 5, os.path.getsize(path) - 21, verify=True)) == {
        "audio": bytes(1000), "utterance": b"{}"}


def test_wrong_place_and_damage_are_noticed(shard, tmp_path):
    path, places = shard
    offset, length = places[5]
    for place in ((offset + 1, length), (offset, length - 1), (offset, 3), (offset, 0)):
        with pytest.raises(RecordError, match="audio.tfrecord: no record"):
            read_record(path, *place)
    with pytest.raises(RecordError, match="truncated, prepare the corpus again"):
        read_record(path, path.stat().st_size - 10, length)
    data = bytearray(path.read_bytes())
    data[offset + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordError, match=f"the record at byte {offset} is damaged"):
        read_record(path, offset, length, verify=True)
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "missing.tfrecord", 0, 100)


@given(st.binary(max_size=60))
def test_what_is_no_example_is_a_record_error(data):
    try:
        features = decode_example(data)
    except RecordError:
        return
    assert all(isinstance(value, bytes) for value in features.values())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_names_the_file():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as error:
        with RecordWriter("/dev/full") as writer:
            writer.write(EXAMPLES[0])
    assert error.value.errno == errno.ENOSPC
