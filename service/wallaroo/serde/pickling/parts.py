"""What a value is made of, as whatever hashes, compares or shows it would come across it."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from itertools import chain
from types import FunctionType, MemberDescriptorType
from typing import Any

import msgspec

Parts = Callable[[Any], Iterator[Any]]
# Whether a module is of the application's own.
IsOwn = Callable[[str | None], bool]

_CONTAINERS: tuple[type[Iterable[Any]], ...] = (tuple, list, set, frozenset, deque)


def is_generated(function: Any) -> bool:
    """Whether a function was made by a library of the fields of a class, as those of a dataclass are."""
    return isinstance(function, FunctionType) and function.__code__.co_filename.startswith("<")


def parts_of(kind: type, is_own: IsOwn) -> Parts | None:
    """How to get at the parts of values of a class; None where they have none.

    An object has parts if others than its class's author have written how it is hashed.
    """
    for container in _CONTAINERS:
        if issubclass(kind, container):
            return container.__iter__
    if issubclass(kind, dict):
        return lambda value: chain(dict.keys(value), dict.values(value))
    if kind is slice:
        return lambda value: iter((value.start, value.stop, value.step))
    if issubclass(kind, (type, Enum)):
        return None
    if issubclass(kind, msgspec.Struct):
        return _named(kind.__struct_fields__)
    return _parts_of_object(kind, is_own)


def _parts_of_object(kind: type, is_own: IsOwn) -> Parts | None:
    hashing = kind.__hash__
    if not isinstance(hashing, FunctionType):
        return None
    if not is_generated(hashing):
        return None if is_own(hashing.__module__) else _attributes(kind)
    if dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
        return _named([f.name for f in fields if (f.compare if f.hash is None else f.hash)])
    return _attributes(kind)


def _named(names: Iterable[str]) -> Parts:
    known = tuple(names)
    return lambda value: iter([getattr(value, name, None) for name in known])


def _attributes(kind: type) -> Parts:
    slots = [
        name
        for each in kind.__mro__
        for name, found in vars(each).items()
        if isinstance(found, MemberDescriptorType)
    ]
    named = _named(slots)
    return lambda value: chain(named(value), getattr(value, "__dict__", {}).values())
