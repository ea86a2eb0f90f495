"""TFRecord shards with random access: audio and labels of many utterances in few files.

A shard is a plain TFRecord file (`tf.data.TFRecordDataset` reads it) of tf.train.Example messages with two features:
`audio`, the bytes of a FLAC file, and `utterance`, its line of the manifest as JSON. Each line of a prepared manifest
says where its record lies, so that batches can be drawn in any order. Reading and writing need NumPy only, so that a
training feed without TensorFlow reads the same shards.

Sources: the formats of TFRecord (tensorflow/core/lib/io/record_writer.h) and of tf.train.Example
(tensorflow/core/example/example.proto); CRC-32C as in RFC 3720, section B.4.
"""

import functools
import os
import struct

import numpy as np

_HEADER = struct.Struct("<QI")  # length of the data, masked CRC of that length
_FOOTER = struct.Struct("<I")  # masked CRC of the data


class RecordError(ValueError):
    """A shard that doesn't hold what the manifest says; the message names the file and the place."""


class RecordWriter:
    """Writes a shard record by record and says where each one lies.

    Args:
        path: The new file; an existing one is replaced.
    """

    def __init__(self, path):
        self.path = str(path)
        self._file = open(path, "wb", buffering=1 << 20)
        self._position = 0

    def write(self, data: bytes) -> tuple[int, int]:
        """Appends one record; returns its (offset, length) in bytes, frame included.

        Raises:
            OSError: The disk is full or the file can't be written.
        """
        header = struct.pack("<Q", len(data))
        frame = header + _FOOTER.pack(masked_crc(header)) + data + _FOOTER.pack(masked_crc(data))
        self._name_errors(self._file.write, frame)
        place = (self._position, len(frame))
        self._position += len(frame)
        return place

    def close(self):
        """Ends the shard; it is on the disk when this returns."""
        if self._file.closed:
            return
        try:
            self._name_errors(self._file.flush)
            self._name_errors(os.fsync, self._file.fileno())
        except OSError:
            self._abandon()
            raise
        self._file.close()

    def _name_errors(self, action, *arguments):
        try:
            return action(*arguments)
        except OSError as error:  # a failed write doesn't know its file's name
            raise OSError(error.errno, error.strerror, self.path) from None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self._abandon()

    def _abandon(self):
        try:
            self._file.close()
        except OSError:
            pass  # the first error is the one to report


def read_record(path, offset: int, length: int, verify: bool = False) -> bytes:
    """Reads one record of a shard.

    Args:
        path: The shard.
        offset: Where the record's frame begins, bytes.
        length: Bytes of the frame, both as `RecordWriter.write` gave them.
        verify: Check all of the data. Training doesn't: it takes longer than decoding, and FLAC has its own check sums.

    Returns:
        The record's data: a serialised tf.train.Example.

    Raises:
        RecordError: There is no such record at that place, or it is damaged.
        OSError: The shard can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # A length from a damaged manifest must not be allocated.
        frame = os.pread(descriptor, length, offset) if offset + length <= os.fstat(descriptor).st_size else b""
    finally:
        os.close(descriptor)
    overhead = _HEADER.size + _FOOTER.size
    if len(frame) < length or length < overhead:
        raise RecordError(f"{path}: no record of {length} bytes at byte {offset}; the shard is truncated, "
                          "prepare the corpus again")
    declared, header_crc = _HEADER.unpack_from(frame)
    data = frame[_HEADER.size:-_FOOTER.size]
    if declared != len(data) or header_crc != masked_crc(frame[:8]):
        raise RecordError(f"{path}: no record begins at byte {offset}; shard and manifest don't belong together")
    if verify and _FOOTER.unpack_from(frame, length - _FOOTER.size)[0] != masked_crc(data):
        raise RecordError(f"{path}: the record at byte {offset} is damaged (wrong check sum); prepare the corpus again")
    return data


def masked_crc(data: bytes) -> int:
    """TFRecord's check sum: CRC-32C, rotated and offset."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of `data`.

    The check sum is linear over GF(2): that of two halves is the left one's moved past the right half, XOR the right
    one's. So neighbouring words are merged in pairs, all pairs at once, instead of byte after byte.
    """
    if len(data) < 4:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = crc >> 8 ^ int(_byte_table()[(crc ^ byte) & 0xFF])
        return crc ^ 0xFFFFFFFF
    count = 1 << ((len(data) + 3) // 4 - 1).bit_length()
    padded = np.zeros(4 * count, np.uint8)  # zeros in front change nothing
    padded[-len(data):] = np.frombuffer(data, np.uint8)
    padded[len(padded) - len(data):][:4] ^= 0xFF  # the initial value of the register
    words, level = padded.view("<u4"), 0
    while len(words) > 1:
        words = _moved(words[0::2], level) ^ words[1::2]
        level += 1
    return int(_moved(words, 0)[0]) ^ 0xFFFFFFFF


def _moved(registers: np.ndarray, level: int) -> np.ndarray:
    """CRC registers after 2^level more words of zeros."""
    low, high = _move_tables(level)
    return low[registers & 0xFFFF] ^ high[registers >> 16]


@functools.cache
def _byte_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(0x82F63B78), table >> 1)
    return table.astype(np.uint32)


@functools.cache
def _move_tables(level: int) -> tuple[np.ndarray, np.ndarray]:
    """What the lower and the upper half of a register become after 2^level words of zeros."""
    halves = np.arange(65536, dtype=np.uint32), np.arange(65536, dtype=np.uint32) << 16
    if level:
        return tuple(_moved(_moved(half, level - 1), level - 1) for half in halves)
    for _ in range(4):
        halves = tuple(half >> 8 ^ _byte_table()[half & 0xFF] for half in halves)
    return halves


def encode_example(features: dict[str, bytes]) -> bytes:
    """Serialises byte features as a tf.train.Example (protocol buffers' wire format, features in the order given)."""
    def field(number, data):
        return bytes([number << 3 | 2]) + _varint(len(data)) + data

    # Example.features = 1; Features.feature = 1, a map entry (key = 1, value = 2); Feature.bytes_list = 1;
    # BytesList.value = 1.
    entries = (field(1, name.encode()) + field(2, field(1, field(1, data))) for name, data in features.items())
    return field(1, b"".join(field(1, entry) for entry in entries))


def decode_example(data: bytes) -> dict[str, bytes]:
    """Reads the byte features of a serialised tf.train.Example; the first value of each.

    Raises:
        RecordError: `data` is no such message.
    """
    features = {}
    try:
        for entry in _fields(_fields(data)[1][0]).get(1, []):
            parts = _fields(entry)
            features[parts[1][0].decode()] = _fields(_fields(parts[2][0])[1][0])[1][0]
    except (KeyError, IndexError, UnicodeDecodeError):
        raise RecordError("a record holds no tf.train.Example with byte features") from None
    return features


def read_recording(path, offset: int, length: int, verify: bool = False) -> bytes:
    """Reads the encoded recording that one record of a shard holds; arguments and errors as `read_record`."""
    features = decode_example(read_record(path, offset, length, verify))
    if "audio" not in features:
        raise RecordError(f"{path}: the record at byte {offset} holds no audio; prepare the corpus again")
    return features["audio"]


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(parts + bytes([value]))


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """Field number -> values, of a message whose fields are all length-delimited."""
    found, position = {}, 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        length, position = _read_varint(data, position)
        if tag & 7 != 2 or position + length > len(data):
            raise IndexError
        found.setdefault(tag >> 3, []).append(data[position:position + length])
        position += length
    return found


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while data[position] & 0x80:
        value |= (data[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | data[position] << shift, position + 1
