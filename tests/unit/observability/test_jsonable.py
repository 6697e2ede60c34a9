"""Any value can be shown as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

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
    ],
)
def test_a_value_is_shown_as_json_can_write_it(value, shown):
    assert to_jsonable(value) == shown
    assert json.loads(to_json(value)) == shown


@pytest.mark.parametrize("value", [Slotted(), Point, print, RudeDict(a=1), {Rude(): Rude()}])
def test_whatever_has_no_better_form_is_shown_as_text(value):
    assert json.loads(to_json(value))


def test_a_value_that_contains_itself_ends():
    endless: list[object] = []
    endless.append(endless)
    assert "..." in to_json(endless)


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
