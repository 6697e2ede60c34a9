"""Which fields of a pydantic model hold nothing but scalars that JSON gives back as they were."""

from pydantic import BaseModel

from wallaroo.core_schemas import Schema, says_only, scalar_types


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
        says_only(model, "model")
        and says_only(model["schema"], "model-fields")
        and model["config"].get("extra_fields_behavior") != "allow"
        and model["cls"] is kind
        and not model["custom_init"]
        and not model["root_model"]
    )


def _field_types(field: Schema) -> frozenset[type] | None:
    return scalar_types(field["schema"]) if says_only(field, "model-field") else None
