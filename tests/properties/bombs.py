"""Pickles of a few bytes that would take forever, or all memory, or the process with them."""

import enum
import io
import pickle
import socketserver
import subprocess
from collections import Counter, UserList, UserString, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, ConfigDict, RootModel

from tests.properties import shapes
from tests.properties.forgeries import BEGIN, named, text

DEPTH = 40
MANY = 300_000
HUGE = 10**12


class Bits(enum.IntFlag):
    ONE = 1


class Kind(type):
    """Classes of this class can be made anew."""


class Movie(TypedDict):
    """Calling it is calling `dict`."""


class OwnUserList(UserList):
    pass


class OwnUserString(UserString):
    pass


class OwnBytes(bytes):
    pass


class OwnBytearray(bytearray):
    pass


class OwnSet(set):
    pass


class OwnFile(io.FileIO):
    pass


class OwnServer(socketserver.TCPServer):
    pass


class OwnPopen(subprocess.Popen):
    pass


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True)
    a: object = None


class FrozenStruct(msgspec.Struct, frozen=True):
    a: object = None
    b: object = None


class Nest(RootModel["int | list[Nest]"]):
    pass


class Leaf(NamedTuple):
    a: object
    b: object


def whole(*parts):
    return b"".join((BEGIN, *parts, pickle.STOP))


def of(kind):
    """The opcodes of a class."""
    return b"".join(named(kind.__module__, kind.__qualname__))


def plain(value):
    """The opcodes of a value that needs no memo of its own."""
    return pickle.dumps(value, 5)[2:-1]


def arguments(*made):
    return b"".join((pickle.MARK, *made, pickle.TUPLE))


def called(kind, *made):
    """A class called with arguments, each made of opcodes."""
    return of(kind) + arguments(*made) + pickle.REDUCE


def made(kind, *parts):
    """An object as `__new__` makes it of arguments, each made of opcodes."""
    return of(kind) + arguments(*parts) + pickle.NEWOBJ


def built(target, state):
    return target + state + pickle.BUILD


def pair(got):
    return got + got + pickle.TUPLE2


def doubled(join):
    """A value that holds another twice, which holds another twice, and so on."""
    steps = [pickle.EMPTY_TUPLE, pickle.MEMOIZE]
    for number in range(DEPTH):
        steps += [join(pickle.BINGET + bytes([number])), pickle.MEMOIZE]
    return b"".join((pickle.MARK, *steps, pickle.POP_MARK, pickle.BINGET, bytes([DEPTH])))


def key(value):
    """A dict with one key."""
    return pickle.EMPTY_DICT + value + pickle.NONE + pickle.SETITEM


def member(value):
    return pickle.EMPTY_SET + pickle.MARK + value + pickle.ADDITEMS


def list_of(*items):
    return b"".join((pickle.EMPTY_LIST, pickle.MARK, *items, pickle.APPENDS))


def dict_of(**items):
    made = [part for name, value in items.items() for part in (*text(name), value)]
    return b"".join((pickle.EMPTY_DICT, pickle.MARK, *made, pickle.SETITEMS))


TUPLES = doubled(pair)
LISTS = doubled(lambda got: list_of(got, got))
RANGE = called(range, plain(HUGE))
ZEROES = b"".join(map(plain, (n * (2**61 - 1) for n in range(1, 50_000))))
LONG_INT = plain(3 ** (2**21))

# Taken one after the other, a hash is computed of each tuple as often as it is in the whole.
HASHES = {
    "a tuple of tuples as a key": key(TUPLES),
    "a tuple of tuples in a set": member(TUPLES),
    "a tuple of tuples in a frozenset": pickle.MARK + TUPLES + pickle.FROZENSET,
    "a tuple of tuples in a set of one's own": called(OwnSet, list_of(TUPLES)),
    "a tuple of tuples that is counted": called(Counter, list_of(TUPLES)),
    "named tuples": key(doubled(lambda got: made(Leaf, got, got))),
    "frozen dataclasses": key(doubled(lambda got: built(made(shapes.Frozen), dict_of(a=pair(got))))),
    "frozen dataclasses with slots": key(
        doubled(lambda got: built(made(shapes.FrozenSlots), list_of(pair(got))))
    ),
    "frozen structs": key(doubled(lambda got: called(FrozenStruct, got, got))),
    "a frozen model": key(
        built(
            made(FrozenModel),
            dict_of(
                __dict__=dict_of(a=TUPLES),
                __pydantic_fields_set__=pickle.EMPTY_SET,
                __pydantic_extra__=pickle.NONE,
                __pydantic_private__=pickle.NONE,
            ),
        )
    ),
    "the number of a UUID": key(built(made(UUID), dict_of(int=TUPLES))),
    "the text of a UserString": key(built(made(OwnUserString), dict_of(data=TUPLES))),
    "the value of an enum member": called(shapes.Color, TUPLES),
    "the seed of a Random": called(Random, TUPLES),
    "the seed of a new Random": made(Random, TUPLES),
    "the key of a ZoneInfo": called(ZoneInfo, TUPLES),
    "the name of an attribute": built(made(shapes.Bag), key(TUPLES)),
    "a class": TUPLES + pickle.EMPTY_TUPLE + pickle.NEWOBJ,
    "a pair for a dict that is said to be typed": called(
        Movie, list_of(TUPLES + pickle.NONE + pickle.TUPLE2)
    ),
    "too many tuples in each other": key(pickle.EMPTY_TUPLE + MANY * pickle.TUPLE1),
    "too many frozensets in each other": member(MANY * pickle.MARK + MANY * pickle.FROZENSET),
    "ints of one hash as keys": pickle.EMPTY_DICT + pickle.MARK + 2 * ZEROES + pickle.SETITEMS,
    "ints of one hash in a set": pickle.EMPTY_SET + pickle.MARK + ZEROES + pickle.ADDITEMS,
}
CALLS = {
    "an int of a Decimal": called(int, called(Decimal, plain("1E+9999999"))),
    "an int of ones own of a Decimal": made(shapes.OwnNumber, called(Decimal, plain("1E+9999999"))),
    "a fraction of a great power": called(Fraction, plain("1E9999999")),
    "a fraction that takes long to reduce": called(Fraction, LONG_INT, plain(5 ** (2**20))),
    **{
        f"a {kind.__name__} of a range": called(kind, RANGE)
        for kind in (list, set, frozenset, deque, Counter, bytearray, OwnUserList, OwnSet, shapes.OwnList)
    },
    "a tuple of a range": made(Leaf, RANGE)[: -len(pickle.NEWOBJ)] + pickle.REDUCE,
    "bytes of a size": made(OwnBytes, plain(2**33)),
    "a bytearray of a size": called(bytearray, plain(2**33)),
    "a bytearray of ones own of a size": called(OwnBytearray, plain(2**33)),
    "a text of lists": called(str, LISTS),
    "a text of ones own of lists": made(shapes.OwnText, LISTS),
    "a UserString of lists": called(OwnUserString, LISTS),
    "a member of lists": called(shapes.Color, LISTS),
    "a flag of many bits": called(Bits, plain(2**8_000_000 - 1)),
    "a model of lists": called(Nest, LISTS),
    "a Random of a range": built(called(Random), arguments(plain(3), RANGE, pickle.NONE)),
    "an older Random of a range": built(called(Random), arguments(plain(2), RANGE, pickle.NONE)),
    "an older Random of formats": built(
        called(Random), arguments(plain(2), plain(("%9999999999d",)), pickle.NONE)
    ),
    "a __setstate__ of its own": built(built(made(shapes.Bag), dict_of(__setstate__=of(list))), RANGE),
    "an append of its own": built(made(shapes.Bag), dict_of(append=of(list))) + RANGE + pickle.APPEND,
    "an add of its own": built(made(shapes.Bag), dict_of(add=of(list))) + member(RANGE)[1:],
    "a class made anew": called(Kind, plain("Made"), arguments(), dict_of(__setstate__=of(list))),
    "many copies of a list": pickle.EMPTY_LIST
    + pickle.MEMOIZE
    + pickle.MARK
    + 20_000 * pickle.NONE
    + pickle.APPENDS
    + of(shapes.OwnList)
    + pickle.MEMOIZE
    + pickle.MARK
    + 20_000 * (pickle.BINGET + b"\x01" + pickle.BINGET + b"\x00" + pickle.TUPLE1 + pickle.REDUCE)
    + pickle.TUPLE,
}
NUMBERS = {
    "a huge place in the memo": pickle.NONE + pickle.LONG_BINPUT + b"\xff\xff\xff\x3f",
    "a huge place in the memo, in digits": pickle.NONE + pickle.PUT + b"1073741823\n",
    "a bytearray that is said to be huge": pickle.BYTEARRAY8 + (2**34).to_bytes(8, "little"),
    "bytes that are said to be huge": pickle.BINBYTES8 + (2**34).to_bytes(8, "little"),
    "a frame that is said to be huge": pickle.FRAME + (2**34).to_bytes(8, "little") + pickle.NONE,
}


def _again(kind, before, after):
    step = pickle.BINGET + b"\x00" + pickle.EMPTY_TUPLE + pickle.REDUCE + before
    return of(kind) + pickle.MEMOIZE + MANY * step + pickle.NONE + MANY * after


NESTS = {
    "too many deques in each other": _again(deque, b"", pickle.APPEND),
    "too many defaultdicts in each other": _again(defaultdict, pickle.NONE, pickle.SETITEM),
    "too many slices in each other": of(slice)
    + pickle.MEMOIZE
    + MANY * (pickle.BINGET + b"\x00")
    + pickle.NONE
    + MANY * (pickle.TUPLE1 + pickle.REDUCE),
}
SLICES = {
    "a list that is put into itself": pickle.EMPTY_LIST
    + pickle.MEMOIZE
    + pickle.NONE
    + pickle.APPEND
    + DEPTH * (called(slice, plain(0), plain(0)) + pickle.BINGET + b"\x00" + pickle.SETITEM),
    "a list that is put into a range": pickle.EMPTY_LIST + called(slice, plain(0)) + RANGE + pickle.SETITEM,
    "a bytearray that is put into a range": plain(bytearray(b"x"))
    + called(slice, plain(0))
    + RANGE
    + pickle.SETITEM,
    "a list of ones own that is put into a range": made(shapes.OwnList)
    + called(slice, plain(0))
    + RANGE
    + pickle.SETITEM,
    "a UserList that is put into a range": built(made(OwnUserList), dict_of(data=pickle.EMPTY_LIST))
    + called(slice, plain(0))
    + RANGE
    + pickle.SETITEM,
}
BOMBS = {**HASHES, **CALLS, **NUMBERS, **NESTS, **SLICES}
