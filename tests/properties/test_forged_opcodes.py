"""Pickles that nobody has written: any of our opcodes in any order, with every class that may be named."""

import contextlib
import pickle
import pickletools
from collections import defaultdict, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import forgeries, opcodes, shapes
from tests.properties.opcodes import arguments, called, dict_of, list_of, made, plain, whole
from wallaroo.errors import StoredValueError
from wallaroo.serde.pickle import _VALUE_TYPE_OF, RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
pytestmark = pytest.mark.usefixtures("limited_memory")

OWN = [kind for module in (shapes, opcodes) for kind in vars(module).values() if isinstance(kind, type)]
OWN = [(kind.__module__, kind.__qualname__) for kind in OWN if kind.__module__.startswith("tests.")]
classes = st.sampled_from(sorted({*_VALUE_TYPE_OF, *OWN})).map(lambda name: b"".join(forgeries.named(*name)))
scalars = st.sampled_from(
    (
        *(None, True, 0, 1, 2, 3, -1, 2**31, 2**64, 10**30, 1.5, float("inf"), "", "a", "red", "1E9999"),
        *("1/3", "Europe/Paris", b"", b"\x07\xea\x01\x02\x03\x04\x05\x06\x07\x08", (), [], {}),
    )
).map(plain)
again = st.integers(0, 12).map(lambda number: pickle.BINGET + bytes([number]))
kept = pickle.MEMOIZE
# Those with a number of their own for the memo ask for as much memory as they like.
bare = st.sampled_from(
    [each.code.encode("latin-1") for each in pickletools.opcodes if "PUT" not in each.name]
)
damaged = st.binary(max_size=3).filter(lambda each: pickle.LONG_BINPUT not in each)
names = st.sampled_from(
    ("a", "b", "int", "append", "extend", "__setstate__", "__class__", "__dict__", "data", "_value_")
)


def _larger(values):
    """What can be made of values, each left on the stack and in the memo."""
    several = st.lists(values, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(values, values).map(b"".join), max_size=3).map(b"".join)
    tuples = several.map(lambda parts: arguments(*parts))
    state = st.dictionaries(names, values, max_size=3).map(lambda given: dict_of(**given))
    return st.one_of(
        tuples,
        several.map(lambda parts: list_of(*parts)),
        several.map(lambda parts: pickle.MARK + b"".join(parts) + pickle.FROZENSET),
        several.map(lambda parts: pickle.EMPTY_SET + pickle.MARK + b"".join(parts) + pickle.ADDITEMS),
        pairs.map(lambda items: pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS),
        st.tuples(classes, tuples, st.sampled_from((pickle.REDUCE, pickle.NEWOBJ))).map(b"".join),
        st.tuples(classes, tuples, state, st.just(pickle.NEWOBJ_EX)).map(b"".join),
        st.tuples(values, values | state, st.just(pickle.BUILD)).map(b"".join),
        st.tuples(values, st.just(b"N"), state, st.just(pickle.TUPLE2 + pickle.BUILD)).map(b"".join),
        st.tuples(values, values, st.just(pickle.APPEND)).map(b"".join),
        st.tuples(values, values, values, st.just(pickle.SETITEM)).map(b"".join),
    ).map(lambda parts: parts + kept)


# So that there is something to come back to.
_MEMO = b"".join(
    parts + kept
    for parts in (
        *(plain(()), plain(1), plain("red"), pickle.EMPTY_LIST, pickle.EMPTY_DICT, opcodes.of(shapes.Bag)),
        *(made(shapes.Bag), made(shapes.OwnList), called(deque), called(defaultdict), plain((1, 2))),
    )
)
forged_values = st.recursive(scalars | again | classes, _larger, max_leaves=12).map(lambda each: _MEMO + each)
forged_opcodes = st.lists(st.one_of(bare, damaged, again, scalars, forged_values), max_size=20).map(b"".join)


def read(data):
    """Read or refused, in the one way allowed."""
    with contextlib.suppress(StoredValueError):
        PICKLES.loads(data)


@given(forged_values)
def test_values_of_any_making(parts):
    read(whole(parts))


@given(forged_opcodes)
def test_opcodes_in_any_order(parts):
    read(whole(parts))


@given(forged_values)
def test_classes_are_as_they_were(parts):
    before = {kind: dict(vars(kind)) for kind in (shapes.Bag, shapes.Data, shapes.Color, shapes.Pair)}
    member = dict(vars(shapes.Color.RED))
    read(whole(parts))
    assert {kind: dict(vars(kind)) for kind in before} == before
    assert vars(shapes.Color.RED) == member
