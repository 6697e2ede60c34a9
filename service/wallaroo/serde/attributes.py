"""Objects that are nothing but their attributes, in a `__dict__`, in slots or in the fields of a Struct.

Slots are faster for a state that is read at every commit: reading `__dict__` creates a dict that stays, and
every later access to an attribute goes through it.
"""

import copyreg
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel

from wallaroo.serde.fitting import may_change
from wallaroo.serde.revive import is_named_tuple

# Defined by a class, any of these says that its attributes alone are not the object.
_OWN_PICKLING = frozenset(
    ["__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__"]
)
_OWN_MAKING = frozenset(["__post_init__", "__init__", "__new__"])
_POINTER_BYTES = tuple.__itemsize__


class Attributes(NamedTuple):
    """Reads the attributes of objects of one class; `revive` makes objects of attributes.

    `rows` returns what to encode as JSON in the place of objects.
    """

    of: Callable[[Any], dict[str, Any]]
    rows: Callable[[Sequence[Any]], Sequence[Any]]


@cache
def attributes_of(kind: type) -> Attributes | None:
    """The attributes of a class whose objects are nothing more; None for any other class."""
    is_struct = issubclass(kind, msgspec.Struct)
    parents = kind.__mro__[: kind.__mro__.index(msgspec.Struct if is_struct else object)]
    own = _OWN_PICKLING | _OWN_MAKING if is_struct else _OWN_PICKLING
    if kind in copyreg.dispatch_table or any(not own.isdisjoint(vars(each)) for each in parents):
        return None
    if is_struct:
        return None if kind.__dictoffset__ else _in_struct(kind)
    if any("__slots__" in vars(parent) for parent in parents):
        names = _slots(kind)
        return None if names is None else _in_slots(names)
    if kind.__dictoffset__ != 0 and kind.__basicsize__ == _Ordinary.__basicsize__:
        return _in_dict()
    return None


@cache
def is_made_of_fields(kind: Any) -> bool:
    """Whether objects can be made of fields with names, in whatever way they are written."""
    if is_named_tuple(kind) or issubclass(kind, BaseModel) or attributes_of(kind) is not None:
        return True
    is_empty_when_made: Any = kind.__new__ is object.__new__ and kind is not object
    return bool(is_empty_when_made) and may_change(kind) and kind not in copyreg.dispatch_table


def _in_dict() -> Attributes:
    read = attrgetter("__dict__")
    return Attributes(read, lambda values: [*map(read, values)])


def _in_struct(kind: Any) -> Attributes:
    read, config = msgspec.structs.asdict, kind.__struct_config__
    is_plain = not (config.array_like or config.omit_defaults or config.tag)
    if is_plain and kind.__struct_encode_fields__ == kind.__struct_fields__:
        return Attributes(read, lambda values: values)
    return Attributes(read, lambda values: [*map(read, values)])


def _in_slots(names: Sequence[str]) -> Attributes:
    """Attributes in slots, of a class without a `__dict__`; an empty slot is left out."""
    read = attrgetter(*names) if names else lambda _value: ()

    def read_slots(values: Sequence[Any]) -> list[dict[str, Any]]:
        try:
            if len(names) == 1:
                [name] = names
                return [{name: held} for held in map(read, values)]
            return [dict(zip(names, held, strict=True)) for held in map(read, values)]
        except AttributeError:
            return [{name: getattr(each, name) for name in names if hasattr(each, name)} for each in values]

    return Attributes(lambda value: read_slots([value])[0], read_slots)


def _slots(kind: type) -> list[str] | None:
    """The names of all slots; None if objects hold more than these, or a slot is hidden by another name."""
    members = [
        (name, member)
        for parent in reversed(kind.__mro__[:-1])
        for name, member in vars(parent).items()
        if type(member) is MemberDescriptorType
    ]
    # From Python 3.12 on weak references are in front of an object, at an offset below 0.
    reference = _POINTER_BYTES if kind.__weakrefoffset__ > 0 else 0
    if kind.__basicsize__ != object.__basicsize__ + len(members) * _POINTER_BYTES + reference:
        return None
    if kind.__dictoffset__ or any(inspect.getattr_static(kind, name) is not each for name, each in members):
        return None
    return [name for name, _ in members]


class _Ordinary:
    pass
