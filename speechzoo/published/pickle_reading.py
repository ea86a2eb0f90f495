"""Pickles of PyTorch checkpoints as plain data: nothing in them is looked up, called or imported.

A pickle is a program for a stack machine (`pickletools.py` of CPython describes each instruction). This machine knows
those that `torch.save` writes, and of names the five that weights need; it never has the objects that they stand for.
"""

import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

MAXIMUM_BYTES = 2 << 20
"""`MAXIMUM_BYTES` of a pickle: Whisper's largest model has 0.3 million, and each byte may take 100 in memory."""
_MAXIMUM_NAME_BYTES = 1000


class Name(NamedTuple):
    """A name of Python that a pickle refers to; nothing is behind it."""

    module: str
    name: str

    def __str__(self):
        return f"{self.module}.{self.name}"


class Storage(NamedTuple):
    """A run of numbers outside of the pickle: its type, key and length."""

    type: str
    key: str
    length: int


class Tensor(NamedTuple):
    """A view of a storage; `offset` and `strides` count elements."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


ORDERED_DICT = Name("collections", "OrderedDict")
REBUILD_TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
STORAGES = ("FloatStorage", "LongStorage", "HalfStorage")
_ALLOWED = {ORDERED_DICT, REBUILD_TENSOR, *(Name("torch", name) for name in STORAGES)}


class _OrderedDict(dict):
    """Told from a plain one, because its attributes (`_metadata` of a module's state) follow it."""


def read_pickle(file: BinaryIO, damaged: Callable[[str], ValueError]):
    """One pickle, from where `file` stands to its end.

    Args:
        file: Stands behind the pickle afterwards.
        damaged: Makes the error for a problem.

    Returns:
        Numbers, texts, None, tuples, lists, dicts whose keys are numbers or texts, `Storage`, `Tensor` and `Name`.

    Raises:
        ValueError: Anything else; a name that is not allowed is named.
    """
    return _Machine(file, damaged).run()


class _Machine:
    """The stack, the memory and what each instruction does to them."""

    def __init__(self, file, damaged):
        self._file, self._damaged = file, damaged
        self._left = MAXIMUM_BYTES
        self._stack, self._marks, self._memory = [], [], {}

    def run(self):
        while True:
            code = self._bytes(1)
            if code == b".":
                if len(self._stack) != 1 or self._marks:
                    raise self._damaged("its pickle leaves more or less than one object")
                return self._stack[0]
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise self._damaged(f"its pickle has the instruction {code!r}, which weights don't need")
            instruction(self)

    def _bytes(self, count):
        if count > self._left:
            raise self._damaged(f"its pickle has more than {MAXIMUM_BYTES} bytes")
        self._left -= count
        data = self._file.read(count)
        if len(data) != count:
            raise self._damaged("it ends inside of its pickle")
        return data

    def _number(self, kind):
        return struct.unpack(kind, self._bytes(struct.calcsize(kind)))[0]

    def _long(self):
        return int.from_bytes(self._bytes(self._number("<B")), "little", signed=True)

    def _text(self, data):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise self._damaged("a text in its pickle is no UTF-8") from None

    def _line(self):
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._bytes(1)
            if len(line) > _MAXIMUM_NAME_BYTES:
                raise self._damaged("a name in its pickle has no end")
        return self._text(bytes(line[:-1]))

    def _push(self, value):
        self._stack.append(value)

    def _pop(self):
        # What lies below the last mark is not this instruction's.
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise self._damaged("its pickle takes what isn't there")
        return self._stack.pop()

    def _top(self, kind):
        if len(self._stack) <= (self._marks[-1] if self._marks else 0) or not isinstance(self._stack[-1], kind):
            raise self._damaged("its pickle fills what is no list or dictionary")
        return self._stack[-1]

    def _pop_to_mark(self):
        if not self._marks:
            raise self._damaged("its pickle takes what isn't there")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def mark(self):
        self._marks.append(len(self._stack))

    def put(self, index):
        value = self._pop()
        self._push(value)
        self._memory[index] = value

    def get(self, index):
        if index not in self._memory:
            raise self._damaged("its pickle takes what isn't there")
        self._push(self._memory[index])

    def tuple_of(self, count):
        values = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(values)))

    def append(self, values):
        self._top(list).extend(values)

    def set_items(self, values):
        if len(values) % 2:
            raise self._damaged("its pickle has a key without a value")
        target = self._top(dict)
        for key, value in zip(values[::2], values[1::2]):
            # Hashing a tuple of tuples of the same tuples would take for ever.
            if not isinstance(key, (str, int, float)):
                raise self._damaged("its pickle has a key that is no text or number")
            target[key] = value

    def refer_to(self, module, name):
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self._damaged("its pickle has a name that is no text")
        reference = Name(module, name)
        if reference not in _ALLOWED:
            raise self._damaged(f"its pickle names {str(reference)[:120]!r}, which is no part of weights and could run "
                                "anything")
        self._push(reference)

    def refer_to_two(self):
        name, module = self._pop(), self._pop()
        self.refer_to(module, name)

    def reduce(self):
        arguments, function = self._pop(), self._pop()
        if function == ORDERED_DICT and arguments == ():
            self._push(_OrderedDict())
        elif function == REBUILD_TENSOR and isinstance(arguments, tuple) and len(arguments) >= 4:
            self._push(self._tensor(*arguments[:4]))
        else:
            raise self._damaged("its pickle calls what makes no tensor")

    def build(self):
        state, target = self._pop(), self._pop()
        if not (isinstance(target, _OrderedDict) and isinstance(state, dict)):
            raise self._damaged("its pickle changes the inside of an object")
        self._push(target)  # the versions of a module's layers, which weights don't need

    def storage(self):
        identity = self._pop()
        if not (isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"
                and isinstance(identity[1], Name) and identity[1].name in STORAGES and isinstance(identity[2], str)
                and type(identity[4]) is int and identity[4] >= 0 and identity[5:] in ((), (None,))):
            raise self._damaged("its pickle names data of an unknown kind")
        self._push(Storage(identity[1].name, identity[2], identity[4]))

    def _tensor(self, storage, offset, shape, strides):
        def whole(values):
            return isinstance(values, tuple) and all(type(value) is int and value >= 0 for value in values)

        if not (isinstance(storage, Storage) and whole((offset,)) and whole(shape) and whole(strides)
                and len(shape) == len(strides)):
            raise self._damaged("its pickle has a tensor of no possible shape")
        return Tensor(storage, offset, shape, strides)


_INSTRUCTIONS = {
    b"\x80": lambda machine: machine._bytes(1),  # version of the protocol
    b"\x95": lambda machine: machine._bytes(8),  # length of a frame
    b"(": _Machine.mark,
    b"N": lambda machine: machine._push(None),
    b"\x88": lambda machine: machine._push(True),
    b"\x89": lambda machine: machine._push(False),
    b"K": lambda machine: machine._push(machine._number("<B")),
    b"M": lambda machine: machine._push(machine._number("<H")),
    b"J": lambda machine: machine._push(machine._number("<i")),
    b"\x8a": lambda machine: machine._push(machine._long()),
    b"G": lambda machine: machine._push(machine._number(">d")),
    b"X": lambda machine: machine._push(machine._text(machine._bytes(machine._number("<I")))),
    b"\x8c": lambda machine: machine._push(machine._text(machine._bytes(machine._number("<B")))),
    b")": lambda machine: machine._push(()),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"t": lambda machine: machine._push(tuple(machine._pop_to_mark())),
    b"]": lambda machine: machine._push([]),
    b"a": lambda machine: machine.append([machine._pop()]),
    b"e": lambda machine: machine.append(machine._pop_to_mark()),
    b"}": lambda machine: machine._push({}),
    b"s": lambda machine: machine.set_items([machine._pop(), machine._pop()][::-1]),
    b"u": lambda machine: machine.set_items(machine._pop_to_mark()),
    b"q": lambda machine: machine.put(machine._number("<B")),
    b"r": lambda machine: machine.put(machine._number("<I")),
    b"\x94": lambda machine: machine.put(len(machine._memory)),
    b"h": lambda machine: machine.get(machine._number("<B")),
    b"j": lambda machine: machine.get(machine._number("<I")),
    b"c": lambda machine: machine.refer_to(machine._line(), machine._line()),
    b"\x93": _Machine.refer_to_two,
    b"R": _Machine.reduce,
    b"b": _Machine.build,
    b"Q": _Machine.storage,
}
