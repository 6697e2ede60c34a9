"""Which pickles hold nothing but plain values, so that pickle's own reader can be trusted with them.

A plain pickle names no class and calls nothing, no int in it is long enough to have any hash one likes, and

    shared   either there are no tuples and frozensets: what can be hashed is a number or text,
    flat     or there are a few, but no value is in two places: a hash is a walk through its own bytes
"""

import pickle
import re
from re import escape

_BEGIN = pickle.PROTO + b"\x05"
_LONG = (pickle.BINUNICODE, pickle.BINBYTES)
# Two that are equal can be compared as often as there are opcodes.
_LONGEST_TEXT_BYTES = 65_535
_LONGEST_INT_BYTES = 8
# Few enough for all of them to be keys of one dict and have one hash, or to be one inside of the other.
_MOST_TUPLES = 500


def _either(*patterns: bytes) -> bytes:
    return b"(?:" + b"|".join(patterns) + b")"


def _one_of(*opcodes: bytes) -> bytes:
    return b"[" + escape(b"".join(opcodes)) + b"]"


def _with(opcode: bytes, size: int) -> bytes:
    """An opcode and an argument of so many bytes."""
    return escape(opcode) + b".{%d}" % size


def _counted(opcode: bytes, longest: int) -> bytes:
    """An opcode, a byte that counts, and as many bytes."""
    return escape(opcode) + _either(*(_with(bytes([size]), size) for size in range(longest + 1)))


def _pickle_of(body: bytes) -> re.Pattern[bytes]:
    return re.compile(escape(_BEGIN) + body + escape(pickle.STOP), re.DOTALL)


_OPCODES = (
    _one_of(
        *(pickle.MEMOIZE, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
        *(pickle.EMPTY_TUPLE, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET),
        *(pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.ADDITEMS),
    )
    + b"++",
    _counted(pickle.SHORT_BINUNICODE, 255),
    _with(pickle.BININT1, 1),
    _with(pickle.BININT2, 2),
    _with(pickle.BININT, 4),
    _with(pickle.BINFLOAT, 8),
    _counted(pickle.LONG1, _LONGEST_INT_BYTES),
    _counted(pickle.SHORT_BINBYTES, 255),
    _with(pickle.FRAME, 8),
)
_GETS = (_with(pickle.BINGET, 1), _with(pickle.LONG_BINGET, 4))
_TUPLE = _one_of(pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.FROZENSET)

# What has been matched is never tried in another way (`*+`): it takes the time of one look at each byte.
_FLAT_PART = _either(*_OPCODES) + b"*+"
_SHARED_PART = _either(*_OPCODES, *_GETS) + b"*+"
_is_shared = _pickle_of(_SHARED_PART).match
_shared_part = re.compile(_SHARED_PART, re.DOTALL).match
_is_flat = _pickle_of(_either(_FLAT_PART + _TUPLE) + b"{0,%d}+" % _MOST_TUPLES + _FLAT_PART).match


def is_plain(data: bytes) -> bool:
    """Whether a pickle can be read without a guard."""
    return _is_shared(data) is not None or _is_flat(data) is not None or _is_shared_with_long(data)


def _is_shared_with_long(data: bytes) -> bool:
    """Whether it is plain but for text and bytes of a size that no regular expression can count."""
    # Most of what has come here can be sorted out by a look for single bytes.
    if pickle.STACK_GLOBAL in data or (pickle.BINUNICODE not in data and pickle.BINBYTES not in data):
        return False
    if not data.startswith(_BEGIN):
        return False
    at = len(_BEGIN)
    while found := _shared_part(data, at):
        at = found.end()
        if data.startswith(pickle.STOP, at):
            return True
        begin = at + 5
        size = int.from_bytes(data[at + 1 : begin], "little")
        if not data.startswith(_LONG, at) or size > _LONGEST_TEXT_BYTES:
            return False
        at = begin + size
    return False
