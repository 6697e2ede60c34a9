"""The values behind the stored bytes in this folder."""

from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.properties import shapes


def filled(kind, **attributes):
    made = kind()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


SAMPLES = {
    "an object": filled(shapes.Bag, a=1, b=-0.5, c=True, d=None, e="größe"),
    "an object without attributes": filled(shapes.Bag),
    "an object with containers": filled(shapes.Bag, a=[1, {"b": (2, None)}], c={3}),
    "an object with numbers that JSON lacks": filled(shapes.Bag, a=float("inf"), b=float("nan"), c=-0.0),
    "an object with value types": filled(shapes.Bag, a=Decimal("1.50"), b=datetime(2020, 1, 1, tzinfo=UTC)),
    "an object with objects": filled(shapes.Bag, a=[shapes.Frozen(1)], b=shapes.Color.DEEP),
    "an object with defaults": filled(shapes.Derived, total=3),
    "an object of an inner class": filled(shapes.Outer.Inner, a=1),
    "an object with slots": filled(shapes.Slots, a=1, b="x"),
    "an object with an empty slot": filled(shapes.Slots, b=[1]),
    "an object with slots and more": filled(shapes.SlotsAndMore, a=1, c=2),
    "an object with its own state": filled(shapes.OwnState, value=[1]),
    "an object with its own reduce": shapes.OwnReduce(7),
    "a dataclass": shapes.Data(1, ["x"]),
    "a frozen dataclass": shapes.Frozen("x"),
    "a frozen dataclass with slots": shapes.FrozenSlots((1, 2)),
    "a named tuple": shapes.Pair(1, [2]),
    "members of enums": [shapes.Color.RED, shapes.Level.LOW, shapes.Word.YES, shapes.Right(3)],
    "subclasses of built-in types": [shapes.OwnList([1]), shapes.OwnText("x"), shapes.OwnNumber(5)],
    "a dict with attributes": filled(shapes.OwnDict, a=1),
    "a model": shapes.Scalars(a=1, b=2.5, c="x", d=True, e=None),
    "a model with aliases": shapes.Aliased(userName="rex", limit=5),
    "a model with times": shapes.Moment(at=datetime.fromisoformat("2020-01-01"), price=Decimal("1.50")),
    "a model with models": shapes.Tree(base=shapes.Base(a=1), bases=[shapes.Base()], pairs={"a": (1, 2)}),
    "a model with hidden fields": shapes.Hidden(unseen=3),
    "a flat dict": {"user": "rex", "amount": 5, "ratio": 0.5, "new": False, "note": None},
    "a nested dict": {"a": {"b": [1, 2]}, 3: (4,)},
    "a text": "größe \ud800",
    "bytes": b"\x00\xff",
    "other values": [
        None,
        1.5,
        {1},
        deque([1], 3),
        Counter("aab"),
        datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    ],
}
