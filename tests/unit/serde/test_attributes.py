"""Which objects are their attributes and nothing more, and how these are read and put back."""

import copyreg
import pickle
import weakref
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
import pytest

from tests.properties import shapes
from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import attributes_of
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.serde.revive import maker_of

Item = TypeVar("Item")


class Child(shapes.Slots):
    __slots__ = ("c",)


class Private:
    __slots__ = ("__secret",)

    def __init__(self, secret):
        self.__secret = secret

    def secret(self):
        return self.__secret


class Referred:
    __slots__ = ("__weakref__", "a")


class Nothing:
    __slots__ = ()


class Boxed(Generic[Item]):
    __slots__ = ("item",)


@dataclass(slots=True)
class Slotted:
    a: int = 0
    b: str = ""


class Guarded:
    __slots__ = ("a",)

    def __setattr__(self, name, value):
        raise AttributeError(name)


class Hiding(shapes.Slots):
    """A second slot of the same name: the first is out of sight."""

    __slots__ = ("a",)


class Computing(shapes.Slots):
    __slots__ = ()

    @property
    def a(self):
        return 5


class WithDict:
    __slots__ = ("__dict__", "a")


class Attached(shapes.Bag):
    """Slots of its own, and the __dict__ of its parent."""

    __slots__ = ("a",)


class Numbers(tuple):
    __slots__ = ()


class FailedError(Exception):
    __slots__ = ("a",)


class Fields(msgspec.Struct):
    a: int = 0


class Registered:
    __slots__ = ("a",)


copyreg.pickle(Registered, lambda _made: (Registered, ()))


def filled(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("kind", [shapes.Bag, shapes.Data, shapes.Derived, shapes.Outer.Inner, shapes.Frozen])
def test_objects_of_an_ordinary_class_are_their_dict(kind):
    made = kind.__new__(kind)
    assert attributes_of(kind).of(made) is made.__dict__


@pytest.mark.parametrize("kind", [shapes.Slots, Child, Private, Referred, Nothing, Boxed, Slotted, Guarded])
def test_objects_with_nothing_but_slots_are_what_these_hold(kind):
    made = kind.__new__(kind)
    assert attributes_of(kind).of(made) == {}
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize(
    "kind",
    [
        *(Hiding, Computing, WithDict, Attached, Numbers, FailedError, Registered),
        *(shapes.SlotsAndMore, shapes.FrozenSlots, shapes.OwnText, shapes.OwnState, shapes.OwnReduce),
        *(shapes.Pair, shapes.Color, shapes.OwnDict, shapes.Base, object, int, dict, weakref.ref),
    ],
)
def test_objects_that_are_more_than_their_attributes_are_left_alone(kind):
    assert attributes_of(kind) is None


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        (filled(shapes.Slots(), a=1, b="x"), {"a": 1, "b": "x"}),
        (filled(shapes.Slots(), b=2), {"b": 2}),
        (filled(Child(), c=3, a=1, b=2), {"a": 1, "b": 2, "c": 3}),
        (Private(5), {"_Private__secret": 5}),
        (filled(Referred(), a=1), {"a": 1}),
        (Referred(), {}),
        (Nothing(), {}),
        (Slotted(4, "y"), {"a": 4, "b": "y"}),
    ],
)
def test_an_object_is_made_again_of_what_its_slots_hold(value, attributes):
    way = attributes_of(type(value))
    assert way.of(value) == attributes
    assert list(way.of(value)) == list(attributes)
    made = maker_of(type(value))(attributes)
    assert type(made) is type(value)
    assert way.of(made) == attributes


def test_many_are_read_as_each_of_them_is():
    values = [filled(shapes.Slots(), a=n, b=-n) for n in range(3)]
    assert attributes_of(shapes.Slots).rows(values) == [{"a": n, "b": -n} for n in range(3)]
    values.append(filled(shapes.Slots(), b=7))
    assert attributes_of(shapes.Slots).rows(values)[2:] == [{"a": 2, "b": -2}, {"b": 7}]
    assert attributes_of(Nothing).rows([Nothing(), Nothing()]) == [{}, {}]


def test_a_setattr_of_its_own_does_not_keep_an_object_from_being_made_again():
    assert maker_of(Guarded)({"a": 1}).a == 1


@pytest.mark.parametrize("kind", [shapes.Bag, shapes.Slots, Fields])
def test_what_is_no_mapping_makes_no_object(kind):
    with pytest.raises(StoredValueError, match="are no attributes"):
        state_codec(kind, RestrictedPickle(["tests"])).decode(b"1D" + pickle.dumps([1], 5))


def test_a_slot_that_is_not_there_any_more_is_ignored():
    assert attributes_of(shapes.Slots).of(maker_of(shapes.Slots)({"a": 1, "c": 2})) == {"a": 1}
