"""JSON of plain typed dictionaries, by msgspec where it reads what pydantic reads, and quicker.

Rules for whoever edits this file:
1. What a value is read as follows from its bytes alone, never from what stands beside it: a record that is
   processed again must be the same again.
2. A schema that says anything else of its fields than which scalars they hold is left to pydantic.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any

import msgspec
from typing_extensions import TypedDict

from wallaroo.core_schemas import Schema, says_only, scalar_types

# An integer beyond 64 bits is made a float in another way by each of them: it, too, is left to pydantic.
_FLOAT = Annotated[float, msgspec.Meta(ge=-(2.0**63), le=2.0**63)]
# Where pydantic refuses what msgspec skips, deep nesting and very long numbers, a value is longer than this.
_SHORT_BYTES = 400
# By msgspec, or because it is no UTF-8, or no bytes at all.
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, AttributeError)

Decode = Callable[[bytes], Any]
DecodeAll = Callable[[Sequence[bytes]], Sequence[Any]]


def quick_decoders(schema: Schema, validate: Decode) -> tuple[Decode, DecodeAll] | None:
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


def _plain_fields(schema: Schema) -> dict[str, Any] | None:
    """What each field is to msgspec; None where one is no scalar, or more is said than what it is."""
    if not says_only(schema, "typed-dict") or schema.get("computed_fields"):
        return None
    of_schema, of_config = schema.get("extra_behavior"), schema.get("config", {}).get("extra_fields_behavior")
    if {of_schema, of_config} - {"ignore", None}:
        return None
    types = {name: _field(field) for name, field in schema["fields"].items()}
    return types if all(types.values()) else None


def _field(field: Schema) -> Any:
    known = says_only(field, "typed-dict-field") and field.get("required") and scalar_types(field["schema"])
    return known and reduce(or_, (_FLOAT if kind is float else kind for kind in known))
