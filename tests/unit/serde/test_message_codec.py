"""The bytes of what crosses a repartition topic: JSON wherever it is exact."""

import copyreg
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import core_schema

from tests.properties import shapes
from tests.properties.values import picture
from wallaroo.errors import StoredValueError
from wallaroo.serde.formats import strip_format_tag
from wallaroo.serde.object_codec import message_codec
from wallaroo.serde.pickle import RestrictedPickle

CODEC = message_codec(RestrictedPickle(["tests"]))
ZONE = ZoneInfo("Europe/Paris")


def changed(model, /, **fields):
    """A model whose fields were changed after it was validated."""
    made = model()
    made.__dict__.update(fields)
    return made


def bag(**attributes):
    made = shapes.Bag()
    made.__dict__.update(attributes)
    return made


def slots(**attributes):
    made = shapes.Slots()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class Registered:
    """Pickled as somebody else has registered it."""


copyreg.pickle(Registered, lambda value: (Registered, ()))


class Loop:
    """Has any number of names."""


Loop.again = Loop


class Upper(BaseModel):
    model_config = ConfigDict(str_to_upper=True)
    name: str = ""


class OwnInit(BaseModel):
    amount: int = 1

    def __init__(self, amount=1):
        super().__init__(amount=2 * amount)


class PostInit(BaseModel):
    amount: int = 1

    def model_post_init(self, _context):
        self.amount *= 2


class OwnSchema(BaseModel):
    amount: int = 1

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return core_schema.no_info_before_validator_function(
            lambda given: {**given, "amount": 5}, handler(source)
        )


class OptionalFields(BaseModel):
    amount: Annotated[int, Field(ge=0)] | None = 1
    doubled: Annotated[int, AfterValidator(lambda amount: 2 * amount)] | None = None


class Either(BaseModel):
    amount: Annotated[int, AfterValidator(lambda amount: 2 * amount)] | int = 1


class Required(BaseModel):
    amount: int
    name: str = ""


class WithArguments:
    def __new__(cls, a):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        return (1,), {}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("größe", "1Sgröße".encode()),
        ("\ud800", b"1S\xed\xa0\x80"),
        (b"\x00", b"1B\x00"),
        ({"user": "rex", "amount": 5}, b'1O{"user":"rex","amount":5}'),
        (shapes.Base(a=7), b'1Mtests.properties.shapes:Base\n{"a":7}'),
        (shapes.Narrow(amount=2), b'1Mtests.properties.shapes:Narrow\n{"amount":2,"name":"","kind":"x"}'),
        (shapes.Anything(a=[1, "b"]), b'1Mtests.properties.shapes:Anything\n{"a":[1,"b"],"b":null}'),
        (
            shapes.Moment.model_validate_json('{"at":"2020-01-01T00:00:00Z","price":"1.50"}'),
            b'1Mtests.properties.shapes:Moment\n{"at":"2020-01-01T00:00:00Z","price":"1.50"}',
        ),
    ],
)
def test_text_dicts_and_models_can_be_read_in_a_topic(value, stored):
    assert CODEC.encode(value) == stored
    assert CODEC.decode(stored) == value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (bag(), b"1Jtests.properties.shapes:Bag\n{}"),
        (bag(b=1, a=1.0, c=True), b'1Jtests.properties.shapes:Bag\n{"b":1,"a":1.0,"c":true}'),
        (bag(name="größe", x=None), '1Jtests.properties.shapes:Bag\n{"name":"größe","x":null}'.encode()),
        (shapes.Frozen(1), b'1Jtests.properties.shapes:Frozen\n{"a":1}'),
        (shapes.Outer.Inner(), b"1Jtests.properties.shapes:Outer.Inner\n{}"),
        (shapes.Slots(), b"1Jtests.properties.shapes:Slots\n{}"),
        (slots(b=1, a=1.0), b'1Jtests.properties.shapes:Slots\n{"a":1.0,"b":1}'),
        (slots(a=(1,)), b"1Dtests.properties.shapes:Slots\n" + pickle.dumps({"a": (1,)}, 5)),
        (bag(a=[1]), b"1Dtests.properties.shapes:Bag\n" + pickle.dumps({"a": [1]}, 5)),
        (bag(a=(1, {2})), b"1Dtests.properties.shapes:Bag\n" + pickle.dumps({"a": (1, {2})}, 5)),
        (bag(a=float("inf")), b"1Dtests.properties.shapes:Bag\n" + pickle.dumps({"a": float("inf")}, 5)),
    ],
)
def test_an_object_is_its_class_and_its_attributes(value, stored):
    assert CODEC.encode(value) == stored
    assert picture(CODEC.decode(stored)) == picture(value)


@pytest.mark.parametrize(
    "value",
    [
        bag(a=Decimal(1)),
        bag(a=[Decimal(1)]),
        bag(a=shapes.Bag()),
        bag(a=shapes.OwnText("x")),
        shapes.SlotsAndMore(),
        shapes.FrozenSlots(1),
        shapes.OwnState(),
        shapes.OwnReduce(1),
        shapes.OwnList([1]),
        shapes.OwnNumber(1),
        shapes.Pair(1, 2),
        shapes.Color.RED,
        Registered(),
        WithArguments(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_that_is_more_than_plain_attributes_is_pickled(value):
    made = CODEC.encode(value)
    assert made[:2] == b"1P"
    assert type(CODEC.decode(made)) is type(value)


def test_an_object_that_refers_to_itself_comes_back_as_one():
    value = bag(a=[])
    value.a.append(value)
    again = CODEC.decode(CODEC.encode(value))
    assert again.a[0] is again


@pytest.mark.parametrize("kind", ["1J", "1D"])
@pytest.mark.parametrize("name", ["OwnState", "OwnList", "Color", "OwnNumber"])
def test_a_class_whose_objects_are_more_than_attributes_is_refused(kind, name):
    payload = b"{}" if kind == "1J" else pickle.dumps({}, 5)
    with pytest.raises(StoredValueError, match="more than their attributes"):
        CODEC.decode(f"{kind}tests.properties.shapes:{name}\n".encode() + payload)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (b"1Jtests.properties.shapes:Bag\n[]", "no JSON object"),
        (b"1Jtests.properties.shapes:Bag", "cannot be read"),
        (b"1Jtests.properties.shapes:Nothing\n{}", "cannot be read"),
        (b"1Jcollections:Counter\n{}", "more than their attributes"),
        (b"1Jsubprocess:Popen\n{}", "neither a value type nor a class"),
        (b"1Dtests.properties.shapes:Bag\n" + pickle.dumps([("a", 1)], 5), "no attributes"),
        (b"1Dtests.properties.shapes:Bag\n{}", "not ours"),
    ],
)
def test_a_forged_object_is_refused(stored, told):
    with pytest.raises(StoredValueError, match=told):
        CODEC.decode(stored)


def test_names_that_only_others_write_take_no_memory():
    codec = message_codec(RestrictedPickle(["tests"]))
    before = len(codec._readers)
    for depth in range(1, 9):
        assert type(codec.decode(b"1J%b:Loop%b\n{}" % (__name__.encode(), b".again" * depth))) is Loop
    assert len(codec._readers) == before


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {"a": (1, 2)},
        {"a": float("nan")},
        {"a": -float("inf")},
        changed(shapes.Base, a=1.0),
        changed(shapes.Base, a=True),
        changed(shapes.Narrow, amount=True),
        changed(shapes.Narrow, amount=-1),
        changed(shapes.Narrow, kind=shapes.OwnText("x")),
        changed(shapes.Anything, a=(1, 2)),
        changed(shapes.Anything, a=[(1, 2)]),
        changed(shapes.Anything, a={1: 2}),
        changed(shapes.Anything, a=shapes.Word.YES),
        changed(shapes.Anything, a=Decimal("1.5")),
        changed(shapes.Anything, a=float("inf")),
        changed(shapes.Moment, at=datetime(2020, 1, 1, tzinfo=UTC)),
        changed(shapes.Moment, at=datetime(2020, 1, 1, tzinfo=ZONE)),
        changed(shapes.Moment, at=datetime(2020, 10, 25, 2, 30, tzinfo=ZONE, fold=1)),
        changed(shapes.Tree, pairs={"a": [1, 2]}),
        changed(shapes.Tree, base=shapes.Extended()),
        changed(Upper, name="x"),
        changed(OptionalFields, amount=-1),
        changed(OptionalFields, doubled=1),
        changed(Either, amount=1),
        OwnInit(3),
        PostInit(amount=3),
        changed(OwnSchema, amount=1),
        Required.model_construct(),
        Required.model_construct(name="x"),
        shapes.Doubling(amount=3),
        shapes.Hidden(unseen=3),
    ],
)
def test_what_json_would_bend_is_pickled(value):
    made = CODEC.encode(value)
    assert made[:2] == b"1P"
    assert repr(CODEC.decode(made)) == repr(value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "unknown format b''"),
        (b"2Sx", "unknown format b'2S'"),
        (b"1S\xff", "cannot be read"),
        (b"1M", "neither a value type nor a class"),
        (b'1Mtests.properties.shapes:Base\n{"a":"b"}', "a stored Base cannot be read: 1 validation error"),
        (b"1O[]", "JSON object"),
        (b"1P", "cannot be read"),
    ],
)
def test_other_bytes_are_refused(data, told):
    with pytest.raises(StoredValueError, match=told):
        CODEC.decode(data)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, None),
        ("größe", "größe".encode()),
        (b"\x00", b"\x00"),
        ({"a": 1}, b'{"a":1}'),
        (shapes.Base(a=7), b'{"a":7}'),
        (bag(a=7), b'{"a":7}'),
        (bag(a=[7]), CODEC.encode(bag(a=[7]))),
        ([7], CODEC.encode([7])),
    ],
)
def test_a_person_is_shown_what_is_readable_elsewhere(value, left):
    assert strip_format_tag(None if value is None else CODEC.encode(value)) == left
