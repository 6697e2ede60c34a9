"""What `json_decoder` reads: by pydantic what pydantic alone reads, by msgspec what strict pydantic reads."""

from typing import Annotated, NotRequired

import msgspec
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


TYPED = [Strict, Lax, Switch, Measure, Void, Empty]


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


OTHERS = [Usual, Part, Bounded, Named, Closed, Open, Trimmed, Chosen, Nested, Model]


class StrictSwitch(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    a: bool | int | None
    b: str | None


class StrictVoid(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    a: int | str
    b: str


class Struct(msgspec.Struct):
    a: float | int
    b: str


class Choice(msgspec.Struct):
    a: bool | int | None
    b: str | None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    a: int | str
    b: str


class ClosedStruct(msgspec.Struct, forbid_unknown_fields=True):
    a: int


STRUCTS = [(Struct, Strict), (Choice, StrictSwitch), (Text, StrictVoid)]

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


plain = st.builds(
    b'{"a":%b,"b":%b,"c":%b}'.__mod__,
    st.tuples(
        numbers | texts | others,
        numbers | texts | others,
        st.sampled_from([b"1", b'"x"', b"null", b'[{"a":[true]}]', b"1e999"]),
    ),
)


def reading(decode, payload) -> Reading:
    """What becomes of a payload: its fields by name with their types, or that it is refused."""
    try:
        made = decode(payload)
    except (pydantic.ValidationError, msgspec.DecodeError):
        return ("refused",)
    if isinstance(made, msgspec.Struct):
        made = msgspec.structs.asdict(made)
    return ("read", *((name, picture(made[name])) for name in sorted(made)))


@pytest.mark.parametrize("kind", TYPED)
@given(payload=payloads)
@example(payload=b'{"a":347750815508893759382153994388263466674,"b":1}')
@example(payload=b'{"a":1,"b":"","c":"\xff"}')
@example(payload=b'{"a":1,"b":"","c":' + b"9" * 4_301 + b"}")
@example(payload=b'{"a":1,"b":"","c":' + b"[" * 201 + b"]" * 201 + b"}")
@example(payload=b'{"a":1,"b":"","c":NaN}')
@example(payload=b'{"a":"no","b":"","a":1}')
@example(payload=b'{"a":1e300,"b":1e300}')
def test_a_dictionary_is_read_as_by_pydantic_alone(kind, payload):
    alone = TypeAdapter(kind).validator.validate_json
    assert reading(wallaroo.json_decoder(kind).decode, payload) == reading(alone, payload)


@pytest.mark.parametrize("kind", [*TYPED, *OTHERS])
def test_what_is_no_struct_is_left_to_pydantic(kind):
    assert wallaroo.json_decoder(kind).decode.__name__ == "validate_json"


@pytest.mark.parametrize(("kind", "strict"), STRUCTS)
@given(payload=plain)
@example(payload=b'{"a":347750815508893759382153994388263466674,"b":""}')
@example(payload=b'{"a":1e300,"b":""}')
@example(payload=b'{"a":-0.0,"b":""}')
@example(payload=b'{"a":true,"b":""}')
@example(payload=b'{"a":"1","b":""}')
@example(payload=b'{"a":NaN,"b":""}')
@example(payload=b'{"a":1e999,"b":""}')
def test_a_struct_is_read_as_by_strict_pydantic(kind, strict, payload):
    alone = TypeAdapter(strict).validator.validate_json
    assert reading(wallaroo.json_decoder(kind).decode, payload) == reading(alone, payload)


@pytest.mark.parametrize(("kind", "strict"), STRUCTS)
@given(payload=payloads.filter(lambda payload: payload is not None))
def test_whatever_a_struct_reads_has_its_types_and_no_number_without_end(kind, strict, payload):
    found = reading(wallaroo.json_decoder(kind).decode, payload)
    if found != ("refused",):
        fields = msgspec.structs.asdict(wallaroo.json_decoder(kind).decode(payload))
        assert TypeAdapter(strict).validate_python(fields, strict=True) == fields


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a":1,"b":"","c":NaN}',
        b'{"a":1,"b":"","c":-Infinity}',
        b'{"a":"no","b":"","a":1}',
        b'{"a":1,"b":""} x',
        b'{"a":1}',
        b'{"b":""}',
        b"null",
        b'[1,""]',
    ],
)
def test_a_struct_is_not_read_from(payload):
    with pytest.raises(msgspec.DecodeError):
        wallaroo.json_decoder(Struct).decode(payload)


def test_a_struct_ignores_other_fields_unless_it_forbids_them():
    assert wallaroo.json_decoder(Struct).decode(b'{"a":1,"b":"","c":2}') == Struct(1, "")
    with pytest.raises(msgspec.ValidationError, match="unknown field `c`"):
        wallaroo.json_decoder(ClosedStruct).decode(b'{"a":1,"c":2}')
