"""Which pickles are left to pickle's own reader: those in which nothing is called, or hashed at length."""

import pickle
from collections import deque
from decimal import Decimal

import pytest

from tests.properties import bombs, shapes
from wallaroo.serde.pickling.plain import is_plain


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


def in_itself():
    value = []
    value.append(value)
    return value


TWICE = (1, 2)
PLAIN = {
    "nothing": None,
    "text": "größe",
    "a record": {"user": "rex", "amount": 5, "ratio": 1.5, "tags": ["a", b"b", True]},
    "records": [{"user": "rex", "amount": number} for number in range(300)],
    "many names": [str(number) for number in range(300)] * 2,
    "a pair": ("rex", 5),
    "pairs as keys": {(number, 1.5): [number] for number in range(300)},
    "sets": [{1, 2}, frozenset([(3, 4)])],
    "tuples in each other": nested(450),
    "an int of eight bytes": 2**62,
    "long text": ["x" * 256, {"a": "y" * 65_535, "b": b"z" * 300}],
    "a list in itself": in_itself(),
}
NOT_PLAIN = {
    "a class": shapes.Bag,
    "an object": shapes.Bag(),
    "a value type": Decimal(1),
    "a deque": deque([1]),
    "a bytearray": bytearray(b"x"),
    "a tuple in two places": [TWICE, TWICE],
    "many tuples": [(number,) for number in range(501)],
    "a long int": 2**64,
    "very long text": "x" * 65_536,
    "long text in a tuple": ("x" * 256,),
    "long text and an object": ["x" * 256, Decimal(1)],
}


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_plain_values(value):
    assert is_plain(pickle.dumps(value, 5))


@pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_more_than_plain(value):
    assert not is_plain(pickle.dumps(value, 5))


BOMBS = {**bombs.HASHES, **bombs.CALLS, **bombs.NESTS, **bombs.SLICES}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_not_plain(bomb):
    assert not is_plain(bombs.whole(bomb))


@pytest.mark.parametrize("protocol", range(5))
def test_only_our_own_protocol_is_plain(protocol):
    assert not is_plain(pickle.dumps([1, "a"], protocol))


@pytest.mark.parametrize("size", range(1, 30))
def test_what_ends_in_the_middle_is_not_plain(size):
    whole = pickle.dumps(["a" * 300], 5)
    assert not is_plain(whole[:size])


@pytest.mark.parametrize("size", [300, 255])
def test_a_call_behind_text_is_found(size):
    text = pickle.dumps("x" * size, 5)[:-1]
    assert not is_plain(text + pickle.STACK_GLOBAL + pickle.STOP)
    assert not is_plain(text + pickle.REDUCE + pickle.STOP)
