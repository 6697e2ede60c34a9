"""A typed dictionary is read as by pydantic alone, one value or many, whoever has written the bytes."""

from typing import Annotated, NotRequired

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

import wallaroo
from tests.properties.values import picture

Reading = tuple[object, ...]


class Strict(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    a: FiniteFloat | int
    b: str


class Lax(TypedDict):
    a: int
    b: str | None


class Switch(TypedDict):
    a: bool | int | None
    b: float | str


class Measure(TypedDict):
    a: float
    b: FiniteFloat


class Void(TypedDict):
    a: int | str
    b: None


class Empty(TypedDict):
    pass


QUICK = [Strict, Lax, Switch, Measure, Void, Empty]


class Usual(TypedDict):
    a: Annotated[int, Field(default=3)]


class Part(TypedDict):
    a: NotRequired[int]


class Bounded(TypedDict):
    a: Annotated[int, Field(gt=0)]


class Named(TypedDict):
    a: Annotated[str, Field(alias="b")]


class Closed(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    a: int


class Open(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    a: int


class Trimmed(TypedDict):
    __pydantic_config__ = ConfigDict(str_strip_whitespace=True)  # type: ignore[misc]

    a: str


class Chosen(TypedDict):
    a: Annotated[int | str, Field(union_mode="left_to_right")]


class Nested(TypedDict):
    a: list[int]


class Model(pydantic.BaseModel):
    a: int


PYDANTICS = [Usual, Part, Bounded, Named, Closed, Open, Trimmed, Chosen, Nested, Model]

digits = st.text("0123456789", min_size=1, max_size=45)
numbers = st.one_of(
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    digits,
    st.builds("{}{}.{}e{}".format, st.sampled_from(["", "-"]), digits, digits, st.integers(-330, 330)),
    st.sampled_from(["NaN", "-Infinity", "1e999", "-0", "-0.0", "01", "1.", ".5", "1E+2", "9" * 4_301]),
).map(str.encode)
texts = st.one_of(
    st.text(max_size=5).map(lambda text: b'"%b"' % text.replace('"', "").encode(errors="replace")),
    st.sampled_from(
        [
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b'"\xe2\x82',
            b'"\x01"',
            b'"\\ud800"',
            b'"\\u0041"',
            b'"\\q"',
            b'"1"',
            b'"a\nb"',
        ]
    ),
)
deep = st.integers(1, 260).map(lambda levels: b"[" * levels + b"]" * levels)
others = st.sampled_from([b"true", b"false", b"null", b"tru", b"{}", b"", b'{"a":1,"b":"x"}', b"[1,,2]"])
names = st.sampled_from([b'"a"', b'"b"', b'"c"', b'"\\u0061"', b'"\xff"', b"a"])
fields = st.builds(b"%b:%b".__mod__, st.tuples(names, st.one_of(numbers, texts, others, deep)))
objects = st.lists(fields, max_size=5).map(lambda some: b"{%b}" % b",".join(some))
good = st.builds(
    b'{"a":%b,"b":%b,"c":%b}'.__mod__,
    st.tuples(numbers, texts | st.just(b"null"), st.one_of(numbers, texts, others, deep)),
)
around = st.sampled_from([b"", b"", b"", b" ", b"\n", b"x", b"\xef\xbb\xbf", b",", b"\x00"])
payloads = st.one_of(good, objects, st.builds(b"%b%b%b".__mod__, st.tuples(around, good, around)), st.none())


def reading(decode, payload) -> Reading:
    """What becomes of a payload: its fields by name with their types, or that it is refused."""
    try:
        made = decode(payload)
    except pydantic.ValidationError:
        return ("refused",)
    return ("read", *((name, picture(made[name])) for name in sorted(made)))


@pytest.mark.parametrize("kind", QUICK)
@given(payload=payloads)
@example(payload=b'{"a":347750815508893759382153994388263466674,"b":1}')
@example(payload=b'{"a":1,"b":"","c":"\xff"}')
@example(payload=b'{"a":1,"b":"","c":' + b"9" * 4_301 + b"}")
@example(payload=b'{"a":1,"b":"","c":' + b"[" * 201 + b"]" * 201 + b"}")
@example(payload=b'{"a":1,"b":"","c":NaN}')
@example(payload=b'{"a":"no","b":"","a":1}')
@example(payload=b'{"a":1e300,"b":1e300}')
def test_a_value_is_read_as_by_pydantic_alone(kind, payload):
    alone = TypeAdapter(kind).validator.validate_json
    assert reading(wallaroo.json_decoder(kind).decode, payload) == reading(alone, payload)


@pytest.mark.parametrize("kind", QUICK)
@given(some=st.lists(payloads, max_size=4))
@example(some=[b'{"a":1,"b":"","c":"\xe2\x82', b'\xac"}'])
@example(some=[b'{"a":1,"b":""', b"}"])
@example(some=[b'{"a":1,"b":"","c":"%b"}' % (b"x" * 400), b'{"a":2,"b":""}'])
@example(some=[b'{"a":1,"b":"","c":"%b"}' % (b"x" * 400), None])
@example(some=[])
def test_many_values_are_read_as_each_by_itself(kind, some):
    decoder = wallaroo.json_decoder(kind)
    one_by_one = [reading(decoder.decode, payload) for payload in some]
    try:
        together = [reading(lambda made: made, made) for made in decoder.decode_all(some)]
    except pydantic.ValidationError:
        assert ("refused",) in one_by_one
    else:
        assert together == one_by_one


@pytest.mark.parametrize("kind", QUICK)
def test_a_dictionary_of_scalars_is_read_in_one_go(kind):
    assert wallaroo.json_decoder(kind).decode_all is not None


@pytest.mark.parametrize("kind", PYDANTICS)
def test_what_says_more_than_its_scalars_is_left_to_pydantic(kind):
    decoder = wallaroo.json_decoder(kind)
    assert decoder.decode_all is None
    assert decoder.decode.__name__ == "validate_json"
