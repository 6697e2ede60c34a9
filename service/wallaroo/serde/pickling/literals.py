"""The opcodes of a pickle that stand for a value each, and what has been read of one so far."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.budget import Budget
from wallaroo.serde.pickling.constructors import Constructors
from wallaroo.serde.pickling.fillings import Fillings
from wallaroo.serde.pickling.nesting import FRAGILE
from wallaroo.serde.pickling.parts import Parts


@dataclass(frozen=True, slots=True)
class Guards:
    """Who is asked while a pickle is read."""

    find_class: Callable[[str, str], type]
    parts_of: Callable[[type], Parts | None]
    constructors: Constructors
    fillings: Fillings


class Reading:
    """How far a pickle has been read."""

    __slots__ = ("budget", "data", "fragile", "guards", "memo", "outer", "stack")

    def __init__(self, data: bytes, guards: Guards) -> None:
        self.data = data
        self.guards = guards
        self.budget = Budget(len(data), guards.parts_of)
        self.stack: list[Any] = []
        # What is below each mark.
        self.outer: list[list[Any]] = []
        self.memo: list[Any] = []
        self.fragile: list[Any] = []

    def behind_mark(self) -> list[Any]:
        found = self.stack
        self.stack = self.outer.pop()
        return found

    def push_made(self, made: Any) -> None:
        if type(made) in FRAGILE:
            self.fragile.append(made)
        self.stack.append(made)


_MEMOIZE = pickle.MEMOIZE[0]

# How an opcode is read: where its argument begins, and where the next opcode does.
Reader = Callable[[Reading, int], int]


def _skip(size: int) -> Reader:
    return lambda _reading, at: at + size


def _constant(value: Any) -> Reader:
    def read(reading: Reading, at: int) -> int:
        reading.stack.append(value)
        return at

    return read


def _new(make: Callable[[], Any]) -> Reader:
    def read(reading: Reading, at: int) -> int:
        reading.stack.append(make())
        return at

    return read


def _byte(reading: Reading, at: int) -> int:
    reading.stack.append(reading.data[at])
    return at + 1


def _number(format_: str, size: int) -> Reader:
    def read(reading: Reading, at: int) -> int:
        reading.stack.append(unpack_from(format_, reading.data, at)[0])
        return at + size

    return read


def _short(decode: Callable[[bytes], Any]) -> Reader:
    """What follows its own size, of one byte."""

    def read(reading: Reading, at: int) -> int:
        data = reading.data
        end = at + 1 + data[at]
        if end >= len(data):
            raise _cut()
        made = decode(data[at + 1 : end])
        reading.stack.append(made)
        if data[end] != _MEMOIZE:
            return end
        # Nearly always what comes next.
        reading.memo.append(made)
        return end + 1

    return read


def _sized(size_bytes: int, decode: Callable[[bytes], Any]) -> Reader:
    """What follows its own size, of several bytes."""

    def read(reading: Reading, at: int) -> int:
        begin = at + size_bytes
        end = begin + int.from_bytes(reading.data[at:begin], "little")
        if end > len(reading.data):
            raise _cut()
        reading.stack.append(decode(reading.data[begin:end]))
        return end

    return read


def _cut() -> StoredValueError:
    return StoredValueError("a stored value ends in the middle")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _memoize(reading: Reading, at: int) -> int:
    reading.memo.append(reading.stack[-1])
    return at


def _get(reading: Reading, at: int) -> int:
    reading.stack.append(reading.memo[reading.data[at]])
    return at + 1


def _long_get(reading: Reading, at: int) -> int:
    reading.stack.append(reading.memo[unpack_from("<I", reading.data, at)[0]])
    return at + 4


LITERALS: dict[bytes, Reader] = {
    pickle.PROTO: _skip(1),
    pickle.FRAME: _skip(8),
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.EMPTY_TUPLE: _constant(()),
    pickle.EMPTY_LIST: _new(list),
    pickle.EMPTY_DICT: _new(dict),
    pickle.EMPTY_SET: _new(set),
    pickle.BININT: _number("<i", 4),
    pickle.BININT1: _byte,
    pickle.BININT2: _number("<H", 2),
    pickle.BINFLOAT: _number(">d", 8),
    pickle.LONG1: _short(_long),
    pickle.LONG4: _sized(4, _long),
    pickle.SHORT_BINUNICODE: _short(_text),
    pickle.BINUNICODE: _sized(4, _text),
    pickle.BINUNICODE8: _sized(8, _text),
    pickle.SHORT_BINBYTES: _short(bytes),
    pickle.BINBYTES: _sized(4, bytes),
    pickle.BINBYTES8: _sized(8, bytes),
    pickle.BYTEARRAY8: _sized(8, bytearray),
    pickle.MEMOIZE: _memoize,
    pickle.BINGET: _get,
    pickle.LONG_BINGET: _long_get,
}
