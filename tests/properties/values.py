"""Random values of everything that a state or a message may hold, and what they look like."""

import struct
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, timedelta, timezone
from enum import Enum
from functools import partial
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from pydantic import BaseModel

from tests.properties import shapes

_any_text = st.text(st.characters(exclude_categories=()), max_size=8)
_zones = st.sampled_from((None, UTC, timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Europe/Paris")))

json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from(
        (float("inf"), float("-inf"), float("nan"), -0.0, 5.0, 1e16, 2**63, 2**64, -(2**63) - 1)
    )
    | _any_text
)
scalars = json_scalars | st.one_of(
    st.binary(max_size=8),
    st.complex_numbers(allow_nan=False),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.times(timezones=st.sampled_from((UTC,))),
    st.timedeltas(),
    st.datetimes(timezones=_zones),
    st.sampled_from((*shapes.Color, *shapes.Level, *shapes.Word, *shapes.Right, shapes.Right(3))),
    st.builds(range, st.integers(-9, 9), st.integers(-9, 9)),
    st.builds(shapes.OwnNumber, st.integers()),
    st.builds(shapes.OwnText, st.text(max_size=3)),
)
_hashable = scalars.filter(lambda value: value == value)  # noqa: PLR0124 - not a number


def _containers(items):
    mappings = st.dictionaries(_hashable, items, max_size=3)
    lists = st.lists(items, max_size=3)
    return st.one_of(
        lists,
        mappings,
        lists.map(tuple),
        lists.map(deque),
        lists.map(shapes.OwnList),
        mappings.map(OrderedDict),
        mappings.map(shapes.OwnDict),
        mappings.map(partial(defaultdict, int)),
        mappings.map(partial(defaultdict, list)),
        st.lists(_hashable, max_size=3).map(frozenset),
        st.lists(_hashable, max_size=3).map(set),
        st.lists(st.text(max_size=2), max_size=3).map(Counter),
        st.builds(shapes.Pair, items, items),
        st.builds(shapes.Data, items, lists),
        st.builds(shapes.Frozen, items),
        st.builds(shapes.FrozenSlots, items),
        st.builds(shapes.OwnReduce, items),
    )


values = st.recursive(scalars, _containers, max_leaves=6)
_names = st.sampled_from(("a", "b", "total", "names", "größe"))


def with_attributes(kind, items=values, names=_names):
    """Objects of a class, made without arguments, whose attributes are then set."""
    attributes = st.dictionaries(names, items, max_size=4)
    return attributes.map(lambda given: _filled(kind(), given))


def models(kind, items=values):
    """Models as user code leaves them: valid at first, and then changed without a check."""
    fields = st.sampled_from(sorted(kind.model_fields)) if kind.model_fields else st.nothing()
    return st.dictionaries(fields, items, max_size=4).map(lambda given: _forced(kind(), given))


def _filled(made, attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def _forced(made, attributes):
    made.__dict__.update(attributes)
    return made


def picture(value):
    """A value in full, types and all, comparable with `==`: equal pictures, equal values."""
    return type(value), _content(value), _attributes(value)


def _content(value):  # noqa: PLR0911 - one for each kind
    match value:
        case float():
            return struct.pack(">d", value)
        case BaseModel():
            return picture(value.__pydantic_extra__), picture(value.__pydantic_private__)
        case dict():
            items = [(picture(key), picture(item)) for key, item in value.items()]
            return items, getattr(value, "default_factory", None)
        case list() | tuple() | deque():
            return [picture(item) for item in value]
        case set() | frozenset():
            return sorted((picture(item) for item in value), key=repr)
        case str() | int():
            return str(value)
    # The classes of these tests are their attributes.
    return None if type(value).__module__ == shapes.__name__ else repr(value)


def _attributes(value):
    if type(value).__module__ != shapes.__name__ or isinstance(value, Enum):
        return {}
    slots = [
        name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if name[0] != "_"
    ]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {name: picture(item) for name, item in (found | getattr(value, "__dict__", {})).items()}
