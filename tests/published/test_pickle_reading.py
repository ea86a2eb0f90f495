"""Pickles of strangers: what does more than list tensors is one clear line, in bounded memory and time."""

import io
import struct
import time
import tracemalloc

import pytest

from speechzoo.published.pickle_reading import MAXIMUM_BYTES, Name, Storage, Tensor, read_pickle

SYSTEM = b"cposix\nsystem\n"
ORDERED = b"ccollections\nOrderedDict\n)R"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def storage(kind=b"FloatStorage", key=b"0", length=b"K\x06", first=b"storage", more=b""):
    return (b"(" + text(first) + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu") + length + more + b"tQ")


def tensor(data=None, offset=b"K\0", shape=b"K\2K\3\x86", strides=b"K\3K\1\x86"):
    data = storage() if data is None else data
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + data + offset + shape + strides + b"\x89" + ORDERED + b"tR"


def read(program):
    return read_pickle(io.BytesIO(b"\x80\2" + program), lambda problem: ValueError(f"x: {problem}"))


def test_what_weights_need():
    one = Tensor(Storage("FloatStorage", "0", 6), 0, (2, 3), (3, 1))
    assert read(tensor() + b".") == one
    assert read(b"}" + text(b"a") + b"q\5" + tensor() + b"sh\5\x86.") == ({"a": one}, "a")
    assert read(ORDERED + b"(" + text(b"w") + tensor() + b"u}" + text(b"_metadata") + b"}sb.") == {"w": one}
    assert read(b"](K\1M\1\1J\xff\xff\xff\xff\x8a\x05" + (2**33).to_bytes(5, "little") + b"G" + struct.pack(">d", 0.5)
                + b"N\x88\x89e.") == [1, 257, -1, 2**33, 0.5, None, True, False]
    # protocol 4: frames, short texts, memory without numbers, names from the stack
    assert read(b"\x95" + bytes(8) + b"\x8c\x05torch\x94\x8c\x0bLongStorage\x94\x93\x94h\0\x86.") == (
        Name("torch", "LongStorage"), "torch")


@pytest.mark.parametrize("program, message", [
    (SYSTEM + text(b"id") + b"\x85R.", "names 'posix.system', which is no part of weights and could run anything"),
    (text(b"builtins") + text(b"eval") + b"\x93.", "names 'builtins.eval'"),
    (text(b"torch") + text(b"load") + b"\x93.", "names 'torch.load'"),
    (b"ctorch\nFloatStorage.__reduce__\n.", "names 'torch.FloatStorage.__reduce__'"),
    (b"K\1K\2\x93.", "a name that is no text"),
    (b"(iposix\nsystem\n.", "instruction b'i'"),
    (b"(" + b"K\1o.", "instruction b'o'"),
    (b"\x82\1.", r"instruction b'\\x82'"),
    (b"ccollections\nOrderedDict\n)\x81.", r"instruction b'\\x81'"),
    (b"\x96" + struct.pack("<Q", 2**62), r"instruction b'\\x96'"),
    (b"ctorch\nFloatStorage\nK\1\x85R.", "calls what makes no tensor"),
    (b"ccollections\nOrderedDict\n]\x85R.", "calls what makes no tensor"),
    (text(b"eval") + b")R.", "calls what makes no tensor"),
    (b"}}b.", "changes the inside of an object"),
    (tensor() + b"}b.", "changes the inside of an object"),
    (ORDERED + b"K\1b.", "changes the inside of an object"),
    (storage(first=b"module") + b".", "data of an unknown kind"),
    (storage(length=b"J\xff\xff\xff\xff") + b".", "data of an unknown kind"),
    (storage(length=b"\x88") + b".", "data of an unknown kind"),
    (storage(more=b"K\1") + b".", "data of an unknown kind"),
    (storage(kind=b"DoubleStorage") + b".", "names 'torch.DoubleStorage'"),
    (b"K\1Q.", "data of an unknown kind"),
    (tensor(strides=b"J\xff\xff\xff\xffK\1\x86") + b".", "a tensor of no possible shape"),
    (tensor(offset=b"J\xff\xff\xff\xff") + b".", "a tensor of no possible shape"),
    (tensor(shape=b"K\6\x85") + b".", "a tensor of no possible shape"),
    (tensor(shape=b"K\2" + text(b"3") + b"\x86") + b".", "a tensor of no possible shape"),
    (tensor(data=b"K\1") + b".", "a tensor of no possible shape"),
    (b"K\1K\2.", "leaves more or less than one object"),
    (b".", "leaves more or less than one object"),
    (b"(.", "leaves more or less than one object"),
    (b"\x86.", "takes what isn't there"),
    (b"K\1(\x85.", "takes what isn't there"),
    (b"t.", "takes what isn't there"),
    (b"h\7.", "takes what isn't there"),
    (b"K\1K\2a.", "fills what is no list"),
    (b"]K\1K\2s.", "fills what is no list or dictionary"),
    (b"}(K\1u.", "a key without a value"),
    (b"})K\1s.", "a key that is no text or number"),
    (text(b"\xff") + b".", "no UTF-8"),
    (b"c" + b"a" * 5000, "a name in its pickle has no end"),
    (b"X" + struct.pack("<I", 2**32 - 1), "more than 2097152 bytes"),
    (b"X" + struct.pack("<I", 1000), "ends inside of its pickle"),
    (b"]" * MAXIMUM_BYTES + b".", "more than 2097152 bytes"),
    # a place in memory that an array would have to be as long as
    (b"K\1r\xff\xff\xff\xffj\xfe\xff\xff\xff.", "takes what isn't there"),
])
def test_anything_else_is_one_line(program, message):
    with pytest.raises(ValueError, match=message) as raised:
        read(program)
    assert str(raised.value).startswith("x: ") and "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_a_program_that_doubles_ends_soon_and_small():
    tracemalloc.start()
    start = time.process_time()
    doubling = b")" + b"".join(b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86" for number in range(200))
    assert len(read(doubling + b".")) == 2
    for hostile in (b"}" + doubling + b"K\1s.", doubling + b")R.", doubling + b"Q."):
        with pytest.raises(ValueError, match="x: "):
            read(hostile)
    assert time.process_time() - start < 2 and tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_pickle_cut_anywhere_is_refused():
    whole = b"}" + text(b"a") + tensor() + b"s."
    assert list(read(whole)) == ["a"]
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="x: "):
            read(whole[:length])
