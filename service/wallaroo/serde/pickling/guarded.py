"""Reads a pickle one opcode at a time, and only the opcodes that our own pickler writes.

Rules for whoever edits this file:
1. Nothing is allocated by a number in a pickle before as many bytes have been seen.
2. Whatever is called, filled, hashed or copied is asked for first: `constructors`, `fillings`, `budget`.
3. It gives what pickle's own reader gives, for everything that can be written.
"""

import pickle
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.literals import LITERALS, Guards, Reader, Reading
from wallaroo.serde.pickling.nesting import check_nesting, take_apart


def read_guarded(data: bytes, guards: Guards) -> Any:
    """The value; StoredValueError or nearly any other exception where the bytes are damaged."""
    reading = Reading(data, guards)
    try:
        _read_all(reading)
        check_nesting(reading.fragile)
    except BaseException:
        take_apart(reading.fragile)
        raise
    return reading.stack.pop()


def _read_all(reading: Reading) -> None:
    data = reading.data
    at = 0
    while (opcode := data[at]) != _STOP:
        at = _READERS[opcode](reading, at + 1)


def _unknown(reading: Reading, at: int) -> int:
    raise StoredValueError(f"a stored value has the opcode {reading.data[at - 1 : at]!r}, which is not ours")


def _mark(reading: Reading, at: int) -> int:
    reading.outer.append(reading.stack)
    reading.stack = []
    return at


def _pop(reading: Reading, at: int) -> int:
    reading.stack.pop()
    return at


def _pop_mark(reading: Reading, at: int) -> int:
    reading.behind_mark()
    return at


def _tuple(reading: Reading, at: int) -> int:
    items = reading.behind_mark()
    reading.stack.append(tuple(items))
    return at


def _tuple_of(count: int) -> Reader:
    def read(reading: Reading, at: int) -> int:
        stack = reading.stack
        if len(stack) < count:
            raise StoredValueError("a stored value lacks an item of a tuple")
        stack[-count:] = [tuple(stack[-count:])]
        return at

    return read


def _frozenset(reading: Reading, at: int) -> int:
    items = reading.behind_mark()
    reading.budget.hash_all(items, items)
    reading.stack.append(frozenset(items))
    return at


def _additems(reading: Reading, at: int) -> int:
    items = reading.behind_mark()
    target = reading.stack[-1]
    if type(target) is not set:
        raise StoredValueError(f"a stored value has members of a {type(target).__qualname__}")
    reading.budget.hash_all(items, target)
    target.update(items)
    return at


def _append(reading: Reading, at: int) -> int:
    value = reading.stack.pop()
    _append_to(reading, [value])
    return at


def _appends(reading: Reading, at: int) -> int:
    values = reading.behind_mark()
    _append_to(reading, values)
    return at


def _append_to(reading: Reading, values: list[Any]) -> None:
    target = reading.stack[-1]
    if type(target) is list:
        target.extend(values)
    else:
        reading.guards.fillings.append(target, values)


def _setitem(reading: Reading, at: int) -> int:
    value, key = reading.stack.pop(), reading.stack.pop()
    _set_items(reading, [key, value])
    return at


def _setitems(reading: Reading, at: int) -> int:
    _set_items(reading, reading.behind_mark())
    return at


def _set_items(reading: Reading, items: list[Any]) -> None:
    target, keys = reading.stack[-1], items[::2]
    if type(target) is not dict:
        reading.guards.fillings.check_items(target)
    reading.budget.hash_all(keys, target)
    for key, value in zip(keys, items[1::2], strict=True):
        target[key] = value


def _global(reading: Reading, at: int) -> int:
    name, module = reading.stack.pop(), reading.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise StoredValueError("a stored value names a class by something else than text")
    reading.stack.append(reading.guards.find_class(module, name))
    return at


def _reduce(reading: Reading, at: int) -> int:
    arguments, kind = reading.stack.pop(), reading.stack.pop()
    reading.push_made(reading.guards.constructors.call(kind, arguments, reading.budget))
    return at


def _newobj(reading: Reading, at: int) -> int:
    arguments, kind = reading.stack.pop(), reading.stack.pop()
    reading.push_made(reading.guards.constructors.make(kind, arguments, {}, reading.budget))
    return at


def _newobj_ex(reading: Reading, at: int) -> int:
    named, arguments, kind = reading.stack.pop(), reading.stack.pop(), reading.stack.pop()
    if type(named) is not dict:
        raise StoredValueError("a stored value calls a class with arguments of no name")
    reading.push_made(reading.guards.constructors.make(kind, arguments, named, reading.budget))
    return at


def _build(reading: Reading, at: int) -> int:
    state = reading.stack.pop()
    reading.guards.fillings.set_state(reading.stack[-1], state, reading.budget)
    return at


_STOP = pickle.STOP[0]
_KNOWN: dict[bytes, Reader] = {
    **LITERALS,
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: _pop_mark,
    pickle.TUPLE: _tuple,
    pickle.TUPLE1: _tuple_of(1),
    pickle.TUPLE2: _tuple_of(2),
    pickle.TUPLE3: _tuple_of(3),
    pickle.FROZENSET: _frozenset,
    pickle.ADDITEMS: _additems,
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.SETITEM: _setitem,
    pickle.SETITEMS: _setitems,
    pickle.STACK_GLOBAL: _global,
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _newobj,
    pickle.NEWOBJ_EX: _newobj_ex,
    pickle.BUILD: _build,
}
_READERS = tuple(_KNOWN.get(bytes([opcode]), _unknown) for opcode in range(256))
