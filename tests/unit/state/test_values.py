"""The bytes of what crosses a repartition topic: JSON wherever it is exact."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.properties import shapes
from wallaroo.errors import StoredValueError
from wallaroo.state.pickles import RestrictedPickle
from wallaroo.state.values import ValueCodec

CODEC = ValueCodec(RestrictedPickle(["tests"]))
ZONE = ZoneInfo("Europe/Paris")


def changed(model, /, **fields):
    """A model whose fields were changed after it was validated."""
    made = model()
    made.__dict__.update(fields)
    return made


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
