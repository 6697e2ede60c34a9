"""Turn any Python value into one that JSON can write: readable rather than reversible. Never raises."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from types import MemberDescriptorType, SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
from pydantic import BaseModel

_MAX_DEPTH = 12
# A value may hold the same list a million times over; what is shown ends here.
_MAX_PARTS = 100_000
_CUT = "..."
# Python refuses to write longer integers as decimal text.
_MAX_INTEGER_BITS = 10_000
# JSON allows these unescaped, but some readers end a line at them, and terminals obey them.
_CONTROL = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def to_jsonable(value: Any) -> Any:
    """Return `value` made of dict, list, str, int, finite float, bool and None; the rest becomes text.

    Dataclasses, Structs, named tuples, attrs and pydantic models become their fields, and so does an object
    without a `__repr__` of its own, in a `__dict__` or in slots. What is inside of itself, too deep or too
    much becomes "...".
    """
    return _Shown().of(value, 0)


def to_json(value: Any) -> str:
    """Return `value` as JSON on one line, whatever it is."""
    return _line(to_jsonable(value))


def _line(shown: Any) -> str:
    text = json.dumps(shown, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_CONTROL)


class _Shown:
    """One value as it is shown, with what of it is being shown at the moment and how much has been."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._parts = 0

    def of(self, value: Any, depth: int) -> Any:
        self._parts += 1
        if depth > _MAX_DEPTH or self._parts > _MAX_PARTS or id(value) in self._open:
            return _CUT
        self._open.add(id(value))
        try:
            return self._of(value, depth)
        except BaseException:  # iterating and comparing may run user code; showing a value must not fail
            return _text(value)
        finally:
            self._open.discard(id(value))

    def _of(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool() | str() | int() | float() | bytes() | bytearray() | memoryview():
                return _scalar(value)
            case Decimal() | UUID():
                return str(value)
            case datetime() | date() | time():
                return value.isoformat()
        consists_of = value if isinstance(value, Mapping) else _fields(value)
        if consists_of is not None:
            return self._mapping(consists_of, depth)
        if isinstance(value, Sequence | Set):
            return self._items(value, depth)
        # Arrays and their numbers, of whatever library.
        to_list = getattr(type(value), "tolist", None)
        return self.of(to_list(value), depth + 1) if callable(to_list) else _text(value)

    def _items(self, items: Iterable[Any], depth: int) -> list[Any]:
        shown = []
        for item in items:
            shown.append(self.of(item, depth + 1))
            if self._parts > _MAX_PARTS:
                break
        return shown

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> Any:
        shown: dict[str, Any] = {}
        for key, item in mapping.items():
            name = self._key(key, depth)
            # 1 and "1" would be the same key of an object.
            shown[name if name not in shown else f"{name} ({type(key).__name__})"] = self.of(item, depth + 1)
            if self._parts > _MAX_PARTS:
                break
        return shown

    def _key(self, key: object, depth: int) -> str:
        if isinstance(key, str | bytes):
            return str(_scalar(key))
        if key is None or isinstance(key, bool | int | float):
            return _text(key)
        shown = self.of(key, depth + 1)
        return shown if isinstance(shown, str) else _line(shown)


def _scalar(value: Any) -> str | float | None:
    """Of classes of Python itself, also where the value is of a subclass, which others cannot unpickle."""
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            number = int.__int__(value)
            return number if number.bit_length() <= _MAX_INTEGER_BITS else hex(number)
        case float():
            fraction = float.__float__(value)
            return fraction if math.isfinite(fraction) else str(fraction)
        case _:
            return bytes(value).decode("utf-8", "backslashreplace")


def _fields(value: Any) -> Mapping[str, Any] | None:
    """What an object consists of, by name; None if its text says more, or it is no such object."""
    kind = type(value)
    names: Iterable[str] | None = None
    match value:
        case tuple():
            names = getattr(kind, "_fields", None)
            return None if names is None else dict(zip(names, value, strict=True))
        case type() | Sequence() | Set():
            return None
        case BaseModel():
            return {**_attributes(value, ()), **(value.__pydantic_extra__ or {})}
        case msgspec.Struct():
            names = kind.__struct_fields__
        case SimpleNamespace():
            names = ()
        case _ if is_dataclass(value):
            names = [field.name for field in fields(value)]
        case _ if hasattr(kind, "__attrs_attrs__"):
            names = [field.name for field in kind.__attrs_attrs__]
    return _plain_object(value) if names is None else _attributes(value, names)


def _plain_object(value: Any) -> Mapping[str, Any] | None:
    if not _has_address(value):
        return None
    # Functions and locks, say, have no attributes of their own.
    is_empty = _has_no_text(value) and hasattr(value, "__dict__")
    return _attributes(value, _slots(type(value))) or ({} if is_empty else None)


def _has_no_text(value: object) -> bool:
    own: Any = type(value).__repr__
    return bool(own is object.__repr__)


def _has_address(value: object) -> bool:
    """Whether the text of an object tells only where in memory it is."""
    return _has_no_text(value) or " at 0x" in repr(value)


def _slots(kind: type) -> list[str]:
    parents = [vars(parent) for parent in reversed(kind.__mro__) if "__slots__" in vars(parent)]
    members = [each for parent in parents for each in parent.items()]
    return [name for name, member in members if type(member) is MemberDescriptorType]


def _attributes(value: object, names: Iterable[str]) -> dict[str, Any]:
    """Attributes of these names, those without a value left out, and what is in the `__dict__`."""
    missing = object()
    held = {name: getattr(value, name, missing) for name in names}
    own = getattr(value, "__dict__", {})
    return {**{name: each for name, each in held.items() if each is not missing}, **own}


def _text(value: object) -> str:
    if _has_no_text(value):
        return f"<{type(value).__qualname__}>"
    try:
        # A class of its own would have to be known to whoever unpickles it.
        return str.__str__(repr(value))
    except BaseException:  # repr is user code too
        return f"<{type(value).__name__}>"
