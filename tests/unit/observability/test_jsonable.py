"""Any value can be shown as JSON."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType, SimpleNamespace
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from wallaroo.observability.jsonable import to_json, to_jsonable


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    tags: tuple[str, ...]


class Total:
    def __init__(self, total):
        self.total = total


class Rude:
    def __repr__(self):
        raise RuntimeError("no")


class RudeDict(dict):
    def items(self):
        raise RuntimeError("no")


class Model(BaseModel):
    total: float


class Colour(Enum):
    RED = 1


class Slotted:
    __slots__ = ()


class Slots:
    __slots__ = ("__hidden", "empty", "total")

    def __init__(self, total, hidden=None):
        self.total = total
        self.__hidden = hidden


class SlotsAndMore(Slots):
    def __init__(self, total, more):
        super().__init__(total)
        self.more = more


class WithAddress(Slots):
    __slots__ = ()

    def __repr__(self):
        return f"state: {super().__repr__()}"


class Struct(msgspec.Struct):
    total: int
    inner: object = None


class Named(NamedTuple):
    total: int
    inner: object


class Attrs:
    """As attrs makes them: a text of their own, and the fields in a tuple."""

    __slots__ = ("total",)
    __attrs_attrs__ = (SimpleNamespace(name="total"),)

    def __init__(self, total):
        self.total = total

    def __repr__(self):
        return f"Attrs({self.total})"


class LooseModel(BaseModel, extra="allow"):
    total: float


class Text(str):
    """A text that only its own process could unpickle."""


class Odd:
    def __repr__(self):
        return Text("odd")


class RudeSlots:
    __slots__ = ("total",)

    def __getattribute__(self, name):
        raise RuntimeError("no")


def ring():
    made = Struct(1)
    made.inner = Slots(2, made)
    return made


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (12, 12),
        (2.5, 2.5),
        ("Жучка", "Жучка"),
        (b"rex", "rex"),
        (b"\xff", "\\xff"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ((1, [2], {3}), [1, [2], [3]]),
        ({1: "a", b"k": 2, None: 3}, {"1": "a", "k": 2, "None": 3}),
        (Point(1, ("a",)), {"x": 1, "tags": ["a"]}),
        (Total(1500), {"total": 1500}),
        (Model(total=2.5), {"total": 2.5}),
        (Colour.RED, "<Colour.RED: 1>"),
        (ValueError("bad"), "ValueError('bad')"),
        ([10**5000], [hex(10**5000)]),
        (Rude(), "<Rude>"),
        (Slots(5), {"_Slots__hidden": None, "total": 5}),
        (Slots(5, [Slots(6)]), {"_Slots__hidden": [{"_Slots__hidden": None, "total": 6}], "total": 5}),
        (
            SlotsAndMore(5, Struct(1)),
            {"_Slots__hidden": None, "total": 5, "more": {"total": 1, "inner": None}},
        ),
        (WithAddress(5), {"_Slots__hidden": None, "total": 5}),
        (
            Struct(1, Named(2, Slots(3))),
            {"total": 1, "inner": {"total": 2, "inner": {"_Slots__hidden": None, "total": 3}}},
        ),
        (Attrs(Total(1)), {"total": {"total": 1}}),
        (LooseModel(total=1, more=Total(2)), {"total": 1.0, "more": {"total": 2}}),
        (deque([Total(1)]), [{"total": 1}]),
        (SimpleNamespace(a=Total(1)), {"a": {"total": 1}}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (memoryview(b"rex"), "rex"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
        ({1: "a", "1": "b"}, {"1": "a", "1 (str)": "b"}),
        ({(1, "a"): 2, Named(1, 2): 3}, {'[1,"a"]': 2, '{"total":1,"inner":2}': 3}),
        (object(), "<object>"),
        (ring(), {"total": 1, "inner": {"_Slots__hidden": "...", "total": 2}}),
    ],
)
def test_a_value_is_shown_as_json_can_write_it(value, shown):
    assert to_jsonable(value) == shown
    assert json.loads(to_json(value)) == shown


@pytest.mark.parametrize(
    "value",
    [Slotted(), Point, print, len, lambda: 1, threading.Lock(), iter([]), RudeDict(a=1), {Rude(): Rude()}],
)
def test_whatever_has_no_better_form_is_shown_as_text(value):
    assert json.loads(to_json(value))


def test_a_value_that_contains_itself_ends():
    endless: list[object] = []
    endless.append(endless)
    assert "..." in to_json(endless)


def test_an_object_that_lets_nobody_look_is_shown_by_its_class():
    assert to_jsonable([RudeSlots()]) == ["<RudeSlots>"]


def test_a_value_that_contains_itself_many_times_ends():
    endless: list[object] = []
    endless += [endless] * 100
    assert to_jsonable(endless) == ["..."] * 100


def test_a_value_that_shares_its_parts_ends():
    shared: list[object] = [1]
    for _ in range(9):
        shared = [shared] * 10
    assert len(to_json(shared)) < 1_000_000


def test_what_is_shown_is_of_classes_that_every_process_knows():
    shown = to_jsonable([Text("a"), {Text("b"): Odd()}])
    [text, mapping] = shown
    assert type(text) is str
    assert [type(each) for pair in mapping.items() for each in pair] == [str, str]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.binary(), inner),
    max_leaves=10,
)


@given(anything)
def test_any_value_becomes_one_line_of_valid_json(value):
    line = to_json(value)
    json.loads(line)
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("character", ["\n", "\r", "\x1e", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"])
def test_a_character_that_ends_a_line_or_commands_a_terminal_is_escaped(character):
    line = to_json(f"a{character}b")
    assert json.loads(line) == f"a{character}b"
    assert line.isprintable()
