"""Pickles that nobody has written: any of our opcodes in any order, with every class that may be named."""

import contextlib
import pickle
import pickletools
import time
from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import bombs, forgeries, shapes
from tests.properties.bombs import arguments, called, dict_of, list_of, made, plain, whole
from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.guarded import _KNOWN
from wallaroo.serde.pickling.plain import is_plain
from wallaroo.serde.pickling.restricted import _VALUE_TYPES, RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
MOST_SECONDS = 10

OWN = [kind for module in (shapes, bombs) for kind in vars(module).values() if isinstance(kind, type)]
OWN = [(kind.__module__, kind.__qualname__) for kind in OWN if kind.__module__.startswith("tests.")]
classes = st.sampled_from(sorted({*_VALUE_TYPES, *OWN})).map(lambda name: b"".join(forgeries.named(*name)))
scalars = st.sampled_from(
    (
        *(None, True, 0, 1, 2, 3, -1, 2**31, 2**64, 10**30, 1.5, float("inf"), "", "a", "red", "1E9999"),
        *("1/3", "Europe/Paris", b"", b"\x07\xea\x01\x02\x03\x04\x05\x06\x07\x08", (), [], {}),
    )
).map(plain)
again = st.integers(0, 12).map(lambda number: pickle.BINGET + bytes([number]))
kept = pickle.MEMOIZE
bare = st.sampled_from(sorted(_KNOWN))
damaged = st.binary(max_size=3)
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
    ).map(lambda opcodes: opcodes + kept)


# So that there is something to come back to.
_MEMO = b"".join(
    opcodes + kept
    for opcodes in (
        *(plain(()), plain(1), plain("red"), pickle.EMPTY_LIST, pickle.EMPTY_DICT, bombs.of(shapes.Bag)),
        *(made(shapes.Bag), made(shapes.OwnList), called(deque), called(defaultdict), plain((1, 2))),
    )
)
forged_values = st.recursive(scalars | again | classes, _larger, max_leaves=12).map(lambda each: _MEMO + each)
forged_opcodes = st.lists(st.one_of(bare, damaged, again, scalars, forged_values), max_size=20).map(b"".join)


def is_harmless(data):
    """Whether it is read or refused, and soon."""
    begun = time.monotonic()
    with contextlib.suppress(StoredValueError):
        PICKLES.loads(data)
    return time.monotonic() - begun < MOST_SECONDS


@given(forged_values)
def test_values_of_any_making(opcodes):
    assert is_harmless(whole(opcodes))


@given(forged_opcodes)
def test_opcodes_in_any_order(opcodes):
    assert is_harmless(whole(opcodes))


@given(forged_values)
def test_classes_are_as_they_were(opcodes):
    before = {kind: dict(vars(kind)) for kind in (shapes.Bag, shapes.Data, shapes.Color, shapes.Pair)}
    member = dict(vars(shapes.Color.RED))
    is_harmless(whole(opcodes))
    assert {kind: dict(vars(kind)) for kind in before} == before
    assert vars(shapes.Color.RED) == member


_CALLS = {
    *("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "BUILD"),
    "PERSID",
    "EXT1",
}


@given(st.lists(st.one_of(bare, scalars, again, damaged), max_size=12).map(lambda parts: whole(*parts)))
def test_what_is_plain_names_nothing_and_calls_nothing(data):
    if is_plain(data):
        assert _CALLS.isdisjoint(opcode.name for opcode, _, _ in pickletools.genops(data))
