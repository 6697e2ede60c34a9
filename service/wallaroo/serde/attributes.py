"""Objects that are nothing but their attributes, in a `__dict__`, in slots or in the fields of a Struct.

Slots are quicker for a state that is read at every commit: reading a `__dict__` makes one that stays, and
from then on user code finds each attribute one object further away.
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
    """Reads the attributes of objects of one class, and makes an object of attributes."""

    def of(self, value: Any) -> dict[str, Any]: ...
    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]: ...
    def make(self, attributes: Any) -> Any: ...


@cache
def attributes_of(kind: type) -> Attributes | None:
    """The attributes of a class whose objects are nothing more; None for any other class."""
    if issubclass(kind, msgspec.Struct):
        return _fields_of(kind)
    parents = kind.__mro__[:-1]
    if kind in copyreg.dispatch_table or any(not _OWN_PICKLING.isdisjoint(vars(each)) for each in parents):
        return None
    if any("__slots__" in vars(parent) for parent in parents):
        names = _slots(kind)
        return None if names is None else InSlots(kind, names)
    if kind.__dictoffset__ != 0 and kind.__basicsize__ == _Ordinary.__basicsize__:
        return InDict(kind)
    return None


class InDict:
    """Attributes in a `__dict__`."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def of(self, value: Any) -> dict[str, Any]:
        attributes: dict[str, Any] = value.__dict__
        return attributes

    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        return [value.__dict__ for value in values]

    def make(self, attributes: Any) -> Any:
        """The object; StoredValueError if these are no attributes."""
        made = _new(self._kind, attributes)
        made.__dict__.update(attributes)
        return made


class InSlots:
    """Attributes in slots, of a class without a `__dict__`; an empty slot is left out."""

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
        """The object; StoredValueError if it has no slot for one of them."""
        made = _new(self._kind, attributes)
        for name, held in attributes.items():
            if name not in self._names:
                raise StoredValueError(f"a {self._kind.__qualname__} has no slot {name!r}")
            # The class's own __setattr__ is for changing an object, not for making it again.
            object.__setattr__(made, name, held)
        return made


class InStruct(InSlots):
    """Fields of a `msgspec.Struct`, which is made by its constructor, as pickle would do."""

    def of_all(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        return [*map(msgspec.structs.asdict, values)]

    def make(self, attributes: Any) -> Any:
        """The Struct; StoredValueError if these are not its fields."""
        if type(attributes) is not dict:
            raise StoredValueError(_no_attributes(self._kind))
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
        raise StoredValueError(_no_attributes(kind))
    return kind.__new__(kind)


def _no_attributes(kind: type) -> str:
    return f"what is stored of a {kind.__qualname__} are no attributes"


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
    if kind.__dictoffset__ or any(_defined(kind, name) is not m for name, m in members):
        return None
    return [name for name, _ in members]


def _defined(kind: type, name: str) -> Any:
    """What a class or a parent defines under this name, without calling a descriptor."""
    return next(vars(parent)[name] for parent in kind.__mro__ if name in vars(parent))


class _Ordinary:
    pass
