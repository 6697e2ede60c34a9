"""Which fields of a pydantic model hold nothing but scalars that JSON gives back as they were."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

from pydantic import BaseModel

_SCALARS = {"str": str, "int": int, "float": float, "bool": bool, "none": NoneType}
# What may be said about a scalar without changing its values or refusing some of them later.
_HARMLESS = {
    "scalar": {"type", "strict", "allow_inf_nan", "metadata", "ref"},
    "wrapper": {"type", "schema", "default", "default_factory", "default_factory_takes_data", "metadata"},
    "union": {"type", "choices", "auto_collapse", "metadata"},
    "field": {"type", "schema", "validation_alias", "serialization_alias", "frozen", "metadata"},
    "fields": {"type", "fields", "model_name", "computed_fields"},
    "model": {"type", "cls", "schema", "custom_init", "root_model", "config", "ref", "metadata", "frozen"},
    "config": {
        *("title", "strict", "extra_fields_behavior", "frozen", "validate_by_name", "validate_by_alias"),
        *("cache_strings", "allow_inf_nan", "from_attributes", "hide_input_in_errors", "loc_by_alias"),
    },
}

Schema = Mapping[str, Any]


def scalar_fields(kind: type[BaseModel]) -> dict[str, frozenset[type]] | None:
    """The types each field may hold; None where a field is more than a scalar, or is validated further."""
    model: Schema = kind.__pydantic_core_schema__
    if not _is_plain_model(model, kind):
        return None
    types = {name: _field_types(field) for name, field in model["schema"]["fields"].items()}
    found = {name: known for name, known in types.items() if known is not None}
    return found if len(found) == len(types) else None


def _is_plain_model(model: Schema, kind: type) -> bool:
    return (
        _only(model, "model", "model")
        and _only(model["schema"], "fields", "model-fields")
        and model["config"].keys() <= _HARMLESS["config"]
        and model["config"].get("extra_fields_behavior") != "allow"
        and model["cls"] is kind
        and not model["custom_init"]
        and not model["root_model"]
    )


def _only(schema: Schema, kind: str, wanted: str) -> bool:
    """Whether a schema is of the wanted type and says nothing but what is harmless."""
    return schema["type"] == wanted and schema.keys() <= _HARMLESS[kind]


def _field_types(field: Schema) -> frozenset[type] | None:
    return _types(field["schema"]) if _only(field, "field", "model-field") else None


def _types(schema: Schema) -> frozenset[type] | None:
    kind = schema["type"]
    if kind in _SCALARS:
        return frozenset({_SCALARS[kind]}) if _only(schema, "scalar", kind) else None
    if kind in ("default", "nullable"):
        inner = _types(schema["schema"]) if _only(schema, "wrapper", kind) else None
        return inner and (inner | {NoneType} if kind == "nullable" else inner)
    if kind == "union" and _only(schema, "union", kind):
        choices = [_types(choice) for choice in schema["choices"] if isinstance(choice, dict)]
        known = [choice for choice in choices if choice is not None]
        return frozenset().union(*known) if len(known) == len(schema["choices"]) else None
    return None
