"""Frames of many utterances in one file, float16, read without copying the file."""

import functools
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

VERSION = 1
# Bytes: where the numbers begin is a multiple of it.
_ALIGNMENT = 64
_CHUNK = 1 << 24


@dataclass
class ShardHeader:
    """What a shard says of itself.

    Attributes:
        key: Identifies what it holds.
        channels: Numbers of one frame, of all blocks side by side.
        samples: Length of the audio of each utterance; 0 where it couldn't be read.
        frames: Frames of each utterance.
        failures: Name -> reason, of the utterances that couldn't be read.
        crc32: Of the numbers.
        version: Of the format.
    """

    key: str
    channels: int
    samples: list[int]
    frames: list[int]
    failures: dict[str, str] = field(default_factory=dict)
    crc32: int = 0
    version: int = VERSION


def pack_shard(header: ShardHeader, rows: list[np.ndarray]) -> bytes:
    """The bytes of a shard: its header and the frames of some utterances, float16 (frames, channels) each."""
    numbers = b"".join(np.ascontiguousarray(row, "<f2").tobytes() for row in rows)
    header.crc32 = zlib.crc32(numbers)
    line = json.dumps(vars(header)).encode()
    return line + b" " * (-(len(line) + 1) % _ALIGNMENT) + b"\n" + numbers


def read_header(path: Path, key: str, channels: int) -> ShardHeader | None:
    """The header of a shard, after all of it was checked; None when it isn't there, not whole, or has another key."""
    try:
        with open(path, "rb") as file:
            header = ShardHeader(**json.loads(file.readline()))
            start, found, crc = file.tell(), 0, 0
            while chunk := file.read(_CHUNK):
                found, crc = found + len(chunk), zlib.crc32(chunk, crc)
        expected = 2 * channels * sum(header.frames)
    except (OSError, ValueError, TypeError):
        return None
    whole = (found, crc, start % _ALIGNMENT) == (expected, header.crc32, 0)
    same = (header.version, header.key, header.channels) == (VERSION, key, channels)
    return header if whole and same and len(header.frames) == len(header.samples) else None


class ShardReader:
    """Frames of utterances in checked shards.

    Args:
        channels: Numbers of one frame.
    """

    def __init__(self, channels: int):
        self._channels = channels
        # Files that are open at a time are few; those of one batch lie near each other.
        self._open = functools.lru_cache(256)(self._map)

    def read(self, path: Path, row: int) -> np.ndarray:
        """One utterance, float16 (frames, channels), mapped from the file."""
        numbers, ends = self._open(path)
        return numbers[ends[row]:ends[row + 1]]

    def _map(self, path):
        with open(path, "rb") as file:
            frames = json.loads(file.readline())["frames"]
            start = file.tell()
        ends = np.concatenate([[0], np.cumsum(frames)]).astype(int)
        if not ends[-1]:
            return np.zeros((0, self._channels), np.float16), ends
        return np.memmap(path, "<f2", "r", start, (int(ends[-1]), self._channels)), ends
