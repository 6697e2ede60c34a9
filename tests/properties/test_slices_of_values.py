"""Many values at once are encoded and decoded as each would be by itself, whoever has made the bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.values import json_scalars, picture, values
from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import message_codec
from wallaroo.serde.pickle import RestrictedPickle


class Name(str):
    __slots__ = ()


CODEC = message_codec(RestrictedPickle(["tests"]))

names = st.sampled_from(["user", "amount", "a\nb", "1O{", "null"])
odd = st.sampled_from([float("nan"), float("inf"), "x" * 4_000, 10**4_100, "null", None, "}\n1O{"])
flat = st.dictionaries(names, json_scalars | odd, max_size=3)
other_names = st.integers() | st.none() | st.just(Name("user"))
oddly_named = st.dictionaries(other_names, json_scalars, min_size=1, max_size=1)
slices = st.one_of(
    st.lists(some, min_size=1, max_size=4) for some in (flat, flat | oddly_named, flat | values)
)

pieces = st.sampled_from(
    [
        b"1O",
        b"{",
        b"}",
        b'"a":',
        b'"a',
        b"1",
        b",",
        b"\n",
        b" ",
        b"{}",
        b'{"a":1}',
        b'{"a":{',
        b"}}",
        b"[]",
        b"1S",
        b"\r",
        b"\0",
    ]
)
forged = st.lists(pieces, max_size=8).map(lambda some: b"1O" + b"".join(some))
BAG = b"1Jtests.properties.shapes:Bag\n"
forged_bags = st.lists(pieces | st.just(BAG), max_size=8).map(lambda some: BAG + b"".join(some))


@given(slices)
@example([{"user": "x" * 4_000}])
@example([{"user": [1]}])
@example([{"user": float("nan")}, {"user": None}])
@example([{5: 1}, {Name("user"): 1}])
def test_many_are_encoded_as_each_alone(some):
    assert CODEC.encode_all(some) == [CODEC.encode(value) for value in some]


@given(slices)
def test_many_come_back_from_a_topic(some):
    assert list(map(picture, CODEC.decode_all([CODEC.encode(value) for value in some]))) == list(
        map(picture, some)
    )


@given(st.lists(forged | st.just(b'1O{"a":1}'), min_size=1, max_size=4))
@example([b'1S{"a":1}'])
@example([b'1O{"a":1} {"b":2}'])
@example([b'1O{"a":1}\n1O{"b":', b"1O2}"])
@example([b'1O{"a":1} {"b":2}', b'1O{"c":3}'])
@example([b'1O{"a":1} {"b":', b"1O2}"])
@example([b'1O{"a":1} {"b":2}', b"1O "])
@example([b'1O{"a":1} {"b":2', b'1O}{"c":3}', b'1O{"d":4}'])
@example([b'1O{"a":1}\n1O{"b":2}', b"1O"])
@example([b'1O{"a":{"b":1}', b'1O{"c":2}}'])
@example([b'1O{"a":1},', b'1O{"b":2}'])
@example([b'1O{"a":1}\n{"b":2}', b'1O{"c":[', b'1O{"d":4}]}'])
@example([b'1O{"a":1}\n', b'1O{"b":2}\n'])
@example([b'1O{"a":1}\0', b'1O{"b":2}'])
@example([b'1O{"a":1}\x001O{"b":2}', b"1O"])
def test_many_that_were_forged_are_read_or_refused_as_each_alone(data):
    read_or_refused_as_each_alone(data)


@given(st.lists(forged_bags | st.just(BAG + b'{"a":1}'), min_size=1, max_size=4))
@example([BAG[:-1], b'{"a":1}\n' + BAG + b'{"b":2}'])
@example([BAG + b'{"a":1}\n' + BAG + b'{"b":2}', BAG])
@example([BAG + b'{"a":1}\0' + BAG + b'{"b":2}', BAG])
@example([BAG + b'{"a":1}\n{"b":2}', BAG + b'{"c":3}'])
@example([BAG + b'{"a":1}\n', BAG + b'{"b":2}'])
@example([BAG + b'{"a":"', BAG + b'"}'])
def test_many_forged_objects_are_read_or_refused_as_each_alone(data):
    CODEC.decode(BAG + b"{}")
    read_or_refused_as_each_alone(data)


def read_or_refused_as_each_alone(data):
    try:
        one_by_one = [CODEC.decode(each) for each in data]
    except StoredValueError:
        with pytest.raises(StoredValueError):
            CODEC.decode_all(data)
    else:
        assert picture(CODEC.decode_all(data)) == picture(one_by_one)
