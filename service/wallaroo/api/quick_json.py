"""JSON of plain typed dictionaries, by msgspec where it reads what pydantic reads, and quicker.

Rules for whoever edits this file:
1. What a value is read as follows from its bytes alone, never from what stands beside it: a record that is
   processed again must be the same again.
2. A schema that says anything else than is listed here is left to pydantic.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any

import msgspec
from typing_extensions import TypedDict

# An integer beyond 64 bits is made a float in another way by each of them: it, too, is left to pydantic.
_FLOAT = Annotated[float, msgspec.Meta(ge=-(2.0**63), le=2.0**63)]
_SCALARS: Mapping[str, Any] = {"str": str, "int": int, "float": _FLOAT, "bool": bool}
# Where pydantic refuses what msgspec skips, deep nesting and very long numbers, a value is longer than this.
_SHORT_BYTES = 400
# What may be said besides; `strict` matters only to what msgspec refuses, and then pydantic decides.
_SAID = {
    "typed-dict": {"type", "cls", "fields", "computed_fields", "config", "extra_behavior", "ref", "metadata"},
    "config": {"title", "strict", "cache_strings", "extra_fields_behavior", "allow_inf_nan"},
    "typed-dict-field": {"type", "schema", "required", "metadata"},
    "scalar": {"type", "strict", "allow_inf_nan", "metadata"},
    "nullable": {"type", "schema", "metadata"},
    "union": {"type", "choices", "metadata"},
}

# By msgspec, or because it is no UTF-8, or no bytes at all.
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, AttributeError)

Decode = Callable[[bytes], Any]
DecodeAll = Callable[[Sequence[bytes]], Sequence[Any]]


def quick_decoders(schema: Mapping[str, Any], validate: Decode) -> tuple[Decode, DecodeAll] | None:
    """Decoders of one value and of many; None where pydantic has to read all of them.

    `schema` is the core schema that `validate` follows.
    """
    fields = _plain_fields(schema)
    if fields is None:
        return None
    read = msgspec.json.Decoder(TypedDict("Plain", fields)).decode  # type: ignore[operator]

    def decode(value: bytes) -> Any:
        try:
            if len(value) <= _SHORT_BYTES:
                value.decode()
                return read(value)
        except _REFUSED:
            pass
        return validate(value)

    def decode_all(values: Sequence[bytes]) -> Sequence[Any]:
        try:
            if max(map(len, values), default=0) <= _SHORT_BYTES:
                # msgspec does not look into text that it skips. A line break ends whatever character is open.
                b"\n".join(values).decode()
                return [*map(read, values)]
            return [validate(value) if len(value) > _SHORT_BYTES else decode(value) for value in values]
        except _REFUSED:
            return [*map(decode, values)]

    return decode, decode_all


def _plain_fields(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The type of each field; None where one is no scalar, or more is said than what it is."""
    if not _says_only(schema, "typed-dict") or schema.get("computed_fields"):
        return None
    config = schema.get("config", {})
    ignores = {schema.get("extra_behavior", "ignore"), config.get("extra_fields_behavior", "ignore")}
    if config.keys() - _SAID["config"] or ignores != {"ignore"}:
        return None
    types = {name: _field(field) for name, field in schema["fields"].items()}
    return types if all(types.values()) else None


def _field(field: Mapping[str, Any]) -> Any:
    known = _says_only(field, "typed-dict-field") and field.get("required") is True
    return _type(field["schema"]) if known else None


def _type(schema: Mapping[str, Any]) -> Any:
    kind = schema["type"]
    if kind in _SCALARS:
        return _SCALARS[kind] if schema.keys() <= _SAID["scalar"] else None
    if kind == "nullable" and _says_only(schema, kind):
        inner = _type(schema["schema"])
        return inner and inner | NoneType
    if kind == "union" and _says_only(schema, kind):
        choices = [_type(choice) for choice in schema["choices"] if isinstance(choice, dict)]
        return reduce(or_, choices) if len(choices) == len(schema["choices"]) and all(choices) else None
    return None


def _says_only(schema: Mapping[str, Any], kind: str) -> bool:
    return schema["type"] == kind and schema.keys() <= _SAID[kind]
