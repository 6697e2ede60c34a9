"""What we pickle is read as pickle itself reads it, and what was shared in it still is."""

import enum
import io
import pickle
from collections import Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Generic, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import shapes
from tests.properties.values import models, picture, values, with_attributes
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
T = TypeVar("T")


class Unguarded(pickle.Unpickler):
    def find_class(self, module, name):
        return PICKLES._named(module, name)


def unguarded(data):
    return Unguarded(io.BytesIO(data)).load()


@given(values)
def test_a_value_is_the_same(value):
    data = PICKLES.dumps(value)
    assert picture(PICKLES.loads(data)) == picture(unguarded(data)) == picture(value)


@given(st.one_of(*(models(kind) for kind in (shapes.Anything, shapes.Open, shapes.Hidden, shapes.Tree))))
def test_a_model_is_the_same(model):
    data = PICKLES.dumps(model)
    assert picture(PICKLES.loads(data)) == picture(unguarded(data)) == picture(model)


@pytest.mark.parametrize("kind", [shapes.Bag, shapes.SlotsAndMore, shapes.OwnList, shapes.OwnDict])
@given(data=st.data())
def test_an_object_is_the_same(kind, data):
    value = data.draw(with_attributes(kind))
    made = PICKLES.dumps(value)
    assert picture(PICKLES.loads(made)) == picture(unguarded(made)) == picture(value)


class Own(msgspec.Struct):
    a: object = None
    b: object = None


class Bytes(bytes):
    pass


class Bytearray(bytearray):
    pass


class Real(float):
    pass


class Imaginary(complex):
    pass


class Tuple(tuple):
    pass


class Hashed(list):
    def __hash__(self):
        return len(self)


class Set(set):
    pass


class Frozenset(frozenset):
    pass


class Deque(deque):
    pass


class Count(Counter):
    pass


class Ordered(OrderedDict):
    pass


class Default(defaultdict):
    pass


class Price(Decimal):
    pass


class Part(Fraction):
    pass


class Time(datetime):
    pass


class Dice(Random):
    pass


class Users(UserDict):
    pass


class Rows(UserList):
    pass


class Line(UserString):
    pass


class OwnError(ValueError):
    pass


class MissingError(OSError):
    pass


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Generic_(Generic[T]):  # noqa: N801 - it is not the one that is imported
    def __init__(self, item: T) -> None:
        self.item = item


class Zone(tzinfo):
    def __init__(self, hours=0):
        self.hours = hours

    def utcoffset(self, _when):
        return timedelta(hours=self.hours)

    def __getinitargs__(self):
        return (self.hours,)


class NewArguments:
    def __new__(cls, a, *, b):
        made = super().__new__(cls)
        made.given = (a, b)
        return made

    def __getnewargs_ex__(self):
        return (self.given[0],), {"b": self.given[1]}


class Reduced:
    """Made, given a state, then items of both kinds."""

    def __init__(self, size):
        self.size = size
        self.listed = []
        self.mapped = {}

    def append(self, item):
        self.listed.append(item)

    def __setitem__(self, key, item):
        self.mapped[key] = item

    def __reduce__(self):
        return type(self), (self.size,), {"size": 7}, iter(self.listed), iter(self.mapped.items())


class Extended(Reduced):
    def extend(self, items):
        self.listed += items


class OwnSetting(dict):
    """Whose items are set in its own way."""

    def __setitem__(self, key, item):
        super().__setitem__(key, (key, item))

    def __reduce__(self):
        return type(self), (), None, None, iter([(key, pair[1]) for key, pair in self.items()])


class Mixed(shapes.Slots):
    """Slots and a __dict__."""


class Metaclass(type):
    def __call__(cls, *args):
        return super().__call__(*args)


class WithMetaclass(metaclass=Metaclass):
    def __init__(self, a=1):
        self.a = a

    def __reduce__(self):
        return type(self), (self.a,)


def filled(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def reduced(kind):
    made = kind(3)
    made.append(1)
    made.append(2)
    made["a"] = 1
    return made


def own_setting():
    made = OwnSetting()
    made["a"] = 1
    return made


def in_itself(made, put):
    put(made, made)
    return made


def circle_of_tuples():
    inner = []
    outer = (inner, 1, 2, 3)
    inner.append(outer)
    return outer


def shared():
    one, pair, model = [1], (1, 2), shapes.Anything(a=1)
    return [one, one, {"a": one, "b": pair, pair: one}, (pair, pair), frozenset([pair]), model, model]


def deep(wrap, depth):
    value = None
    for _ in range(depth):
        value = wrap(value)
    return value


WHOLE = {
    **{repr(value): value for value in (2**3000, -(2**3000), "x" * 300, b"x" * 300, bytearray(300), -1, 1.5)},
    "many texts": [str(number) for number in range(1000)] * 2,
    "many items": {number: number for number in range(2500)},
    "many members": set(range(2500)),
    "large ints": {2**n: n for n in range(200)},
    "bytes": Bytes(b"x"),
    "a bytearray": Bytearray(b"x"),
    "an empty bytearray": Bytearray(),
    "a float": Real(1.5),
    "a complex": [Imaginary(1, 2), complex(1, 2)],
    "a tuple": filled(Tuple((1, 2)), more=3),
    "a set": filled(Set([1, (2, 3)]), more=3),
    "a list as a key": {Hashed([1, 2]): 1},
    "a frozenset": {Frozenset([1, 2]): 1},
    "deques": [deque([1]), deque([1], 3), Deque([1, 2], 2)],
    "counters": [Counter("aab"), Count("aab"), Counter()],
    "ordered dicts": [OrderedDict(a=1), filled(Ordered(b=2), more=3)],
    "default dicts": [
        defaultdict(None, a=1),
        Default(list, a=[1]),
        defaultdict(shapes.Bag),
        defaultdict(int),
    ],
    "decimals": [Decimal("1E+999999"), Price("1.50"), Decimal("Infinity")],
    "fractions": [Fraction(1, 3), Part(-2, 3), Fraction(10**200, 3)],
    "times": [Time(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=Zone(2)), timedelta(-1, 2, 3)],
    "dice": [Random(1), Dice(2)],  # noqa: S311 - values like any other
    "collections of users": [Users(a=1), Rows([1]), Line("x")],
    "errors": [
        OwnError("a", 1),
        MissingError(2, "gone"),
        filled(OwnError(), why=range(3)),
        OwnError(range(3)),
    ],
    "flags": [Rights.READ, Rights(3), Rights(0), Rights(8), shapes.Right(3)],
    "a generic": Generic_(1),
    "structs": [Own(1, [2]), Own(range(3), Own())],
    "arguments of __new__": NewArguments(1, b=range(3)),
    "appended": reduced(Reduced),
    "extended": reduced(Extended),
    "its own way of items": own_setting(),
    "slots and more": filled(Mixed(), a=1, b=2, c=3),
    "half of the slots": filled(shapes.Slots(), b=1),
    "a metaclass": WithMetaclass(2),
    "classes": [shapes.Bag, int, dict, Decimal, shapes.Color, shapes.Outer.Inner],
    "odd attributes": filled(shapes.Bag(), **{"with space": 1, "__setstate__": 2, "append": 3}),
    "slices": [slice(1), slice("a", None, (1,)), slice(slice(1))],
    "ranges": [range(10**12), range(3, 1, -1)],
    "a list in itself": in_itself([], list.append),
    "a dict in itself": in_itself({}, lambda one, other: one.update(a=other)),
    "a deque in itself": in_itself(deque(), deque.append),
    "an object in itself": in_itself(shapes.Bag(), lambda one, other: setattr(one, "me", other)),
    "a tuple in itself": circle_of_tuples(),
    "a pair in itself": circle_of_tuples()[0][0][:2],
    "shared": shared(),
    "one key in many dicts": [{key: number} for key in [(1, (2, 3))] for number in range(500)],
    "deep tuples": {deep(lambda value: (value,), 300): 1},
    "deep lists": deep(lambda value: [value], 300),
    "deep objects": deep(shapes.Data, 150),
    "deep deques": deep(lambda value: deque([value]), 150),
    "deep frozen objects": {deep(shapes.Frozen, 100): 1},
    "many deques": [deque([deque([number])]) for number in range(6000)],
    "words as text": ["\x93 Güte Größe", "\ud800"],
}


@pytest.mark.parametrize("value", WHOLE.values(), ids=WHOLE)
def test_a_value_is_the_same_part_by_part(value):
    data = PICKLES.dumps(value)
    read = PICKLES.loads(data)
    assert type(read) is type(value)
    assert PICKLES.dumps(read) == PICKLES.dumps(unguarded(data))
