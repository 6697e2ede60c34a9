"""Pydantic models as JSON, by field name, if JSON is exact."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import NoneType
from typing import Any

import msgspec
from pydantic import BaseModel

from wallaroo.errors import StoredValueError

# The JSON of a model; None if it would come back changed.
Dump = Callable[[Any], bytes | None]

_json_encode = msgspec.json.Encoder().encode
# Longer than this, an integer in it may have too many digits to be read back.
_LONGEST_JSON_BYTES = 4000
# Of these, values that are equal are the same.
_SIMPLE = frozenset({int, float, str, bool, bytes, NoneType})

# Pydantic's core schemas of scalars, and what else a schema may say without changing or refusing a value.
_SCALARS = {"str": str, "int": int, "float": float, "bool": bool, "none": NoneType}
_SAID_OF_SCALARS = {"type", "strict", "allow_inf_nan", "metadata", "ref"}
_SAID_OF_FIELDS = {"validation_alias", "serialization_alias", "default", "default_factory", "choices"}
_SAID_OF_MODELS = {"schema", "fields", "model_name", "cls", "custom_init", "root_model", "config", "frozen"}
_SAID_BY_PYDANTIC = {"auto_collapse", "computed_fields", "default_factory_takes_data"}
_HARMLESS = _SAID_OF_SCALARS | _SAID_OF_FIELDS | _SAID_OF_MODELS | _SAID_BY_PYDANTIC
_OF_READING = {"strict", "validate_by_name", "validate_by_alias", "from_attributes", "extra_fields_behavior"}
_OF_ERRORS = {"title", "hide_input_in_errors", "loc_by_alias"}
_HARMLESS_SETTINGS = _OF_READING | _OF_ERRORS | {"frozen", "cache_strings", "allow_inf_nan"}


def model_dump(kind: type[BaseModel]) -> Dump | None:
    """What makes JSON of models of this class; None if they are more than their fields."""
    excluded = any(field.exclude for field in kind.model_fields.values())
    if kind.__private_attributes__ or excluded:
        return None
    scalars = _scalar_fields(kind)
    return _dump_and_compare if scalars is None else _scalar_dump(scalars)


def load_model(kind: type, payload: bytes) -> Any:
    """The model; StoredValueError if the JSON does not fit it."""
    if not issubclass(kind, BaseModel):
        raise StoredValueError(f"a stored model belongs to {kind.__qualname__}, which is no pydantic model")
    try:
        return kind.__pydantic_validator__.validate_json(payload, by_alias=False, by_name=True)
    except ValueError as error:
        raise StoredValueError(f"a stored {kind.__qualname__} cannot be read: {error}") from error


def _scalar_dump(types: Mapping[str, frozenset[type]]) -> Dump:
    """The dump of a model of scalars: JSON is exact if each value is of a declared type."""

    def dump_scalars(model: BaseModel) -> bytes | None:
        fields = model.__dict__
        try:
            for name, value in fields.items():
                kind = type(value)
                # JSON has no infinity and no not-a-number.
                if kind not in types[name] or (kind is float and value - value != 0):
                    return _dump_and_compare(model)
            made = _json_encode(fields)
        except (KeyError, ValueError, OverflowError):
            return _dump_and_compare(model)
        return made if len(made) <= _LONGEST_JSON_BYTES else _dump_and_compare(model)

    return dump_scalars


def _scalar_fields(kind: type[BaseModel]) -> dict[str, frozenset[type]] | None:
    """The types that each field may hold; None if one is no scalar, or is validated further."""
    model: Mapping[str, Any] = kind.__pydantic_core_schema__
    if not _says_only(model, "model") or not _says_only(model["schema"], "model-fields"):
        return None
    if model["cls"] is not kind or model["custom_init"] or model["root_model"]:
        return None
    if model["config"].get("extra_fields_behavior") == "allow":
        return None
    found: dict[str, frozenset[type]] = {}
    for name, field in model["schema"]["fields"].items():
        types = _scalar_types(field["schema"]) if _says_only(field, "model-field") else None
        if types is None:
            return None
        found[name] = types
    return found


def _scalar_types(schema: Mapping[str, Any]) -> frozenset[type] | None:
    kind = schema["type"]
    if not _says_only(schema, kind):
        return None
    if kind in _SCALARS:
        return frozenset({_SCALARS[kind]})
    if kind == "union":
        choices = [_scalar_types(choice) for choice in schema["choices"] if isinstance(choice, dict)]
        known = [choice for choice in choices if choice is not None]
        return frozenset().union(*known) if len(known) == len(schema["choices"]) else None
    if kind not in ("default", "nullable"):
        return None
    inner = _scalar_types(schema["schema"])
    return inner and (inner | {NoneType} if kind == "nullable" else inner)


def _says_only(schema: Mapping[str, Any], kind: str) -> bool:
    """Whether a schema is of this type and says nothing but what is harmless, its configuration included."""
    return (
        schema["type"] == kind
        and schema.keys() <= _HARMLESS
        and schema.get("config", {}).keys() <= _HARMLESS_SETTINGS
    )


def _dump_and_compare(model: BaseModel) -> bytes | None:
    """The JSON of any other model; it is exact if it comes back the same."""
    kind = type(model)
    try:
        made: bytes = kind.__pydantic_serializer__.to_json(
            model, by_alias=False, round_trip=True, warnings=False
        )
        return made if _same(load_model(kind, made), model) else None
    except (ValueError, TypeError, StoredValueError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _SIMPLE:
        return bool(one == other)
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(_same, one, other))
    if kind is dict:
        return _same_items(one, other)
    if issubclass(kind, BaseModel):
        extra = _same(one.__pydantic_extra__, other.__pydantic_extra__)
        return extra and _same_items(one.__dict__, other.__dict__)
    return bool(one == other) and (_same_time(one, other) if kind is datetime else repr(one) == repr(other))


def _same_time(one: datetime, other: datetime) -> bool:
    return one.fold == other.fold and _same(one.tzinfo, other.tzinfo)


def _same_items(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    if len(one) != len(other):
        return False
    for (a, x), (b, y) in zip(one.items(), other.items(), strict=True):
        if type(x) is not type(y) or not (x == y if type(x) in _SIMPLE else _same(x, y)) or not _same(a, b):
            return False
    return True
