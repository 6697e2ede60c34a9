"""Turn any Python value into one that JSON can write: readable rather than reversible. Never raises."""

import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel

_MAX_DEPTH = 12
# Python refuses to write longer integers as decimal text.
_MAX_INTEGER_BITS = 10_000
# JSON allows these unescaped, but some readers end a line at them, and terminals obey them.
_CONTROL = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def to_jsonable(value: Any) -> Any:
    """Return `value` made of dict, list, str, int, finite float, bool and None; the rest becomes text.

    An object without a `__repr__` of its own, a dataclass and a pydantic model become their attributes.
    """
    try:
        return _jsonable(value, 0)
    except Exception:  # iterating and comparing may run user code; showing a value must not fail
        return _text(value)


def to_json(value: Any) -> str:
    """Return `value` as JSON on one line, whatever it is."""
    text = json.dumps(to_jsonable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_CONTROL)


def _jsonable(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return "..."
    match value:
        case None | bool() | str() | int() | float() | bytes() | bytearray():
            return _scalar(value)
        case dict():
            return {_key(key): _jsonable(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_jsonable(item, depth + 1) for item in value]
        case _ if (attributes := _attributes(value)) is not None:
            return _jsonable(dict(attributes), depth + 1)
        case _:
            return _text(value)


def _scalar(value: str | float | bytes | bytearray | None) -> str | float | None:
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value) if value.bit_length() <= _MAX_INTEGER_BITS else hex(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case _:
            return value.decode("utf-8", "backslashreplace")


def _key(key: object) -> str:
    return str(_scalar(key)) if isinstance(key, str | bytes) else _text(key)


def _attributes(value: object) -> Mapping[str, Any] | None:
    if isinstance(value, type):
        return None
    if is_dataclass(value):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    has_own_text = type(value).__repr__ is not object.__repr__
    if isinstance(value, BaseModel) or not has_own_text:
        return getattr(value, "__dict__", None)
    return None


def _text(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # repr is user code too
        return f"<{type(value).__name__}>"
