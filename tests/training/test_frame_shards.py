"""Files of frames are whole, or they aren't there."""

import numpy as np
import pytest

from speechzoo.training.frame_shards import ShardHeader, ShardReader, pack_shard, read_header

ROWS = [np.arange(6, dtype=np.float16).reshape(2, 3), np.zeros((0, 3), np.float16), np.full((1, 3), -0.5, np.float16)]


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(pack_shard(ShardHeader("abc", 3, [320, 0, 160], [2, 0, 1], {"second": "no audio"}), ROWS))
    return path


def test_rows_come_back(shard):
    header = read_header(shard, "abc", 3)
    assert (header.samples, header.failures) == ([320, 0, 160], {"second": "no audio"})
    reader = ShardReader(3)
    for row, expected in enumerate(ROWS):
        np.testing.assert_array_equal(reader.read(shard, row), expected)


def test_nothing_but_silence(tmp_path):
    (tmp_path / "empty").write_bytes(pack_shard(ShardHeader("abc", 3, [0], [0]), [ROWS[1]]))
    assert read_header(tmp_path / "empty", "abc", 3).samples == [0]
    assert ShardReader(3).read(tmp_path / "empty", 0).shape == (0, 3)


def test_another_key_or_size(shard):
    assert read_header(shard, "abd", 3) is None and read_header(shard, "abc", 2) is None
    assert read_header(shard.parent / "nowhere", "abc", 3) is None


def test_damage_is_noticed_wherever_it_is(shard):
    whole = shard.read_bytes()
    for length in range(len(whole)):
        shard.write_bytes(whole[:length])
        assert read_header(shard, "abc", 3) is None, length
    shard.write_bytes(whole + b"\0\0")
    assert read_header(shard, "abc", 3) is None
    for place in (0, len(whole) - 1, whole.index(b"\n") + 1):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        assert read_header(shard, "abc", 3) is None, place
