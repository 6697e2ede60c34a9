"""Pydantic models as JSON, by field name, and only where that is exact."""

from typing import Any

from pydantic import BaseModel

from wallaroo.errors import StoredValueError


def is_data_model(kind: type[BaseModel]) -> bool:
    """Whether the fields are all there is to an object of this model."""
    excluded = any(field.exclude for field in kind.model_fields.values())
    return not kind.__private_attributes__ and not excluded


def dump_model(model: BaseModel) -> bytes | None:
    """The model as JSON, or None where JSON would lose something."""
    made: bytes = type(model).__pydantic_serializer__.to_json(model, by_alias=False, round_trip=True)
    # null may be None, or what JSON has for infinity and not-a-number.
    return None if b"null" in made and not _comes_back(model, made) else made


def load_model(kind: type, payload: bytes) -> Any:
    """The model; StoredValueError where the JSON does not fit it."""
    if not issubclass(kind, BaseModel):
        raise StoredValueError(f"a stored model belongs to {kind.__qualname__}, which is no pydantic model")
    try:
        return kind.__pydantic_validator__.validate_json(payload, by_alias=False, by_name=True)
    except ValueError as error:
        raise StoredValueError(f"a stored {kind.__qualname__} cannot be read: {error}") from error


def _comes_back(model: BaseModel, made: bytes) -> bool:
    try:
        return bool(load_model(type(model), made) == model)
    except StoredValueError:
        return False
