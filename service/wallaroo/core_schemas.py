"""What pydantic's core schemas say of scalars, where they say nothing that changes or refuses values."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

Schema = Mapping[str, Any]

_SCALARS = {"str": str, "int": int, "float": float, "bool": bool, "none": NoneType}
# What may be said besides, by the type of the schema.
_OF_A_SCALAR = frozenset({"type", "strict", "allow_inf_nan", "metadata", "ref"})
_OF_A_WRAPPER = frozenset(
    {"type", "schema", "default", "default_factory", "default_factory_takes_data", "metadata"}
)
_HARMLESS = {
    **dict.fromkeys(_SCALARS, _OF_A_SCALAR),
    "default": _OF_A_WRAPPER,
    "nullable": _OF_A_WRAPPER,
    "union": {"type", "choices", "auto_collapse", "metadata"},
    "model-field": {"type", "schema", "validation_alias", "serialization_alias", "frozen", "metadata"},
    "model-fields": {"type", "fields", "model_name", "computed_fields"},
    "model": {"type", "cls", "schema", "custom_init", "root_model", "config", "ref", "metadata", "frozen"},
    "typed-dict-field": {"type", "schema", "required", "metadata"},
    "typed-dict": {"type", "cls", "fields", "computed_fields", "config", "extra_behavior", "ref", "metadata"},
}
_HARMLESS_SETTINGS = {
    *("title", "strict", "extra_fields_behavior", "frozen", "validate_by_name", "validate_by_alias"),
    *("cache_strings", "allow_inf_nan", "from_attributes", "hide_input_in_errors", "loc_by_alias"),
}


def says_only(schema: Schema, kind: str) -> bool:
    """Whether a schema is of this type and says nothing but what is harmless, its configuration included."""
    return (
        schema["type"] == kind
        and schema.keys() <= _HARMLESS[kind]
        and schema.get("config", {}).keys() <= _HARMLESS_SETTINGS
    )


def scalar_types(schema: Schema) -> frozenset[type] | None:
    """The types that a value may be of; None where it may be more than a scalar, or is validated further."""
    kind = schema["type"]
    if kind not in _HARMLESS or not says_only(schema, kind):
        return None
    if kind in _SCALARS:
        return frozenset({_SCALARS[kind]})
    if kind in ("default", "nullable"):
        inner = scalar_types(schema["schema"])
        return inner and (inner | {NoneType} if kind == "nullable" else inner)
    if kind == "union":
        choices = [scalar_types(choice) for choice in schema["choices"] if isinstance(choice, dict)]
        known = [choice for choice in choices if choice is not None]
        return frozenset().union(*known) if len(known) == len(schema["choices"]) else None
    return None
