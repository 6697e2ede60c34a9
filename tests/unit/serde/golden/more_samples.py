"""More values behind stored bytes in this folder: of classes whose form or fields may change."""

from collections import namedtuple
from typing import NamedTuple

import msgspec
from pydantic import BaseModel

from tests.properties import shapes
from tests.unit.serde.attrs_alike import define
from tests.unit.serde.golden.samples import filled


class Keywords(msgspec.Struct, kw_only=True):
    user: str
    total: int = 0


class Fields(msgspec.Struct):
    user: str
    total: int = 0


@define
class Slotted:
    a: object = 0
    b: object = "b"


class Point(NamedTuple):
    x: int
    y: int = 0


Old = namedtuple("Old", ["x", "y"])


class Line(BaseModel):
    name: str = ""
    ends: list[shapes.Base] = []
    by_name: dict[str, shapes.Base] = {}


MORE_SAMPLES = {
    "a Struct": Fields("rex", 5),
    "a Struct with keywords": Keywords(user="rex"),
    "Structs in a list": [Fields("rex"), Keywords(user="rex", total=2)],
    "a class of attrs": Slotted(a=1, b="x"),
    "a class of attrs in a dict": {"it": Slotted(a=[1])},
    "a named tuple with a default": Point(1),
    "named tuples in a list": [Point(1, 2), Old(3, 4), Point(5)],
    "an object with a named tuple": filled(shapes.Bag, at=Point(1, 2)),
    "frozen dataclasses with slots in a list": [shapes.FrozenSlots(1), shapes.FrozenSlots((2,))],
    "a model of which some fields were set": shapes.Scalars(a=1, c="x"),
    "a model of which no field was set": shapes.Scalars(),
    "a model of which all fields were set": shapes.Scalars(a=1, b=0.5, c="x", d=True, e=None),
    "an open model": shapes.Open(other=1),
    "models within a model": Line(ends=[shapes.Base(), shapes.Base(a=1)], by_name={"p": shapes.Base()}),
    "models in a list": [shapes.Base(a=1)],
    "an empty dict": {},
    "a dict with a named tuple": {"at": Point(1, 2)},
    "a list": [1, "x", None],
    "a number": 5,
}
