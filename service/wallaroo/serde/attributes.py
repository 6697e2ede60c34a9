"""Objects that are their attributes and nothing more, in a `__dict__` or in slots: these bytes are theirs.

Slots are quicker for whoever reads a state at every commit: a `__dict__` that has been read stays there, and
then the user's own code finds attributes the long way, one more object away.
"""

import copyreg
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, Protocol

import msgspec

from wallaroo.errors import StoredValueError

# Defined by a class, any of these says that its attributes alone are not the object.
_OWN_PICKLING = frozenset(
    ["__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__"]
)
_POINTER_BYTES = tuple.__itemsize__


class Attributes(Protocol):
    """How the attributes of objects of one class are read, and an object is made of them."""

    def of(self, value: Any) -> dict[str, Any]: ...
    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]: ...
    def make(self, attributes: Any) -> Any: ...


@cache
def attributes_of(kind: type) -> Attributes | None:
    """Those of objects that are nothing more; None for any other class."""
    if issubclass(kind, msgspec.Struct):
        return _fields_of(kind)
    parents = kind.__mro__[:-1]
    if kind in copyreg.dispatch_table or any(not _OWN_PICKLING.isdisjoint(vars(each)) for each in parents):
        return None
    if any("__slots__" in vars(parent) for parent in parents):
        names = _slots(kind)
        return None if names is None else InSlots(kind, names)
    if kind.__dictoffset__ != 0 and kind.__basicsize__ == _Plain.__basicsize__:
        return InDict(kind)
    return None


class InDict:
    """The attributes of objects of an ordinary class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def of(self, value: Any) -> dict[str, Any]:
        attributes: dict[str, Any] = value.__dict__
        return attributes

    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        return [value.__dict__ for value in values]

    def make(self, attributes: Any) -> Any:
        """An object; StoredValueError where this is no `__dict__`."""
        made = _new(self._kind, attributes)
        made.__dict__.update(attributes)
        return made


class InSlots:
    """The attributes of objects of a class that has nothing but slots; an empty one is none."""

    def __init__(self, kind: type, names: Sequence[str]) -> None:
        self._kind = kind
        self._names = names
        self._read = attrgetter(*names) if names else lambda _value: ()

    def of(self, value: Any) -> dict[str, Any]:
        [attributes] = self.of_all([value])
        return attributes

    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        names = self._names
        try:
            if len(names) == 1:
                [name] = names
                return [{name: held} for held in map(self._read, values)]
            return [dict(zip(names, held, strict=True)) for held in map(self._read, values)]
        except AttributeError:
            return [{name: getattr(each, name) for name in names if hasattr(each, name)} for each in values]

    def make(self, attributes: Any) -> Any:
        """An object; StoredValueError where these are not what its slots hold."""
        made = _new(self._kind, attributes)
        for name, held in attributes.items():
            if name not in self._names:
                raise StoredValueError(f"a {self._kind.__qualname__} has no slot {name!r}")
            # A __setattr__ of its own is for whoever changes an object, not for one that is made again.
            object.__setattr__(made, name, held)
        return made


class InStruct(InSlots):
    """The fields of a `msgspec.Struct`, which is made by its constructor, as it would be by pickle."""

    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        return [*map(msgspec.structs.asdict, values)]

    def make(self, attributes: Any) -> Any:
        """A struct; StoredValueError where these are not its fields."""
        if type(attributes) is not dict:
            raise StoredValueError(f"what is stored of a {self._kind.__qualname__} are no attributes")
        try:
            return self._kind(**attributes)
        except TypeError as error:
            raise StoredValueError(f"a stored {self._kind.__qualname__} cannot be made: {error}") from error


def _fields_of(kind: type[msgspec.Struct]) -> InStruct | None:
    own = kind.__mro__[: kind.__mro__.index(msgspec.Struct)]
    more = _OWN_PICKLING | {"__post_init__", "__init__", "__new__"}
    if kind in copyreg.dispatch_table or any(not more.isdisjoint(vars(each)) for each in own):
        return None
    return None if kind.__dictoffset__ else InStruct(kind, kind.__struct_fields__)


def _new(kind: Any, attributes: Any) -> Any:
    if type(attributes) is not dict:
        raise StoredValueError(f"what is stored of a {kind.__qualname__} are no attributes")
    return kind.__new__(kind)


def _slots(kind: type) -> list[str] | None:
    """The names of all slots; None where there is more to the objects, or some slots are out of sight."""
    members = [
        (name, member)
        for parent in reversed(kind.__mro__[:-1])
        for name, member in vars(parent).items()
        if type(member) is MemberDescriptorType
    ]
    # From 3.12 on weak references are in front of an object, and their offset is below 0.
    reference = _POINTER_BYTES if kind.__weakrefoffset__ > 0 else 0
    if kind.__basicsize__ != object.__basicsize__ + len(members) * _POINTER_BYTES + reference:
        return None
    if kind.__dictoffset__ or any(_seen(kind, name) is not m for name, m in members):
        return None
    return [name for name, _ in members]


def _seen(kind: type, name: str) -> Any:
    """What a class has under this name, as it is there."""
    return next(vars(parent)[name] for parent in kind.__mro__ if name in vars(parent))


class _Plain:
    pass
