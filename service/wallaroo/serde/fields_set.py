"""Which fields of a model have been set, behind its JSON: a space for each name in it, or a tab if not set.

White space behind JSON is part of it, so a version that does not know these marks reads the model. They
follow the names in the JSON, also those of models within; what such marks cannot say is pickled.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, RootModel

from wallaroo.errors import StoredValueError

MARKS = b" \t"
_SET, _UNSET = MARKS
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_LISTS = (list, tuple)

Dump = Callable[[Any], bytes | None]


def marking_unset_scalars(dump: Dump) -> Dump:
    """The dump of models of scalars, which says of all their fields whether they have been set."""

    def dump_with_marks(model: BaseModel) -> bytes | None:
        made, names, fields = dump(model), model.__pydantic_fields_set__, model.__dict__
        if made is None or len(names) == len(fields):
            return made
        return made + bytes(_SET if name in names else _UNSET for name in fields)

    return dump_with_marks


def marking_unset(kind: Any, dump: Dump) -> Dump:
    """The same of any other models."""
    validate = kind.__pydantic_validator__.validate_json

    def dump_with_marks(model: BaseModel) -> bytes | None:
        made = dump(model)
        if made is None or _all_set(model):
            return made
        try:
            marked = made + bytes(
                _UNSET if isinstance(held, BaseModel) and name not in held.__pydantic_fields_set__ else _SET
                for held, names in _objects(msgspec.json.decode(made), model)
                for name in names
            )
            again = validate(marked, by_alias=False, by_name=True)
            unset_marked(again, marked)
        except (ValueError, TypeError, msgspec.MsgspecError, StoredValueError):
            return None
        return marked if [*_sets_in(again)] == [*_sets_in(model)] else None

    return dump_with_marks


def unset_marked(model: Any, payload: bytes) -> None:
    """Let a model, and those within, know again which fields were set; StoredValueError for other marks."""
    stored = payload.rstrip(MARKS)
    objects = [*_objects(msgspec.json.decode(stored), model)]
    marks = iter(payload[len(stored) :])
    if sum(len(names) for _, names in objects) != len(payload) - len(stored):
        raise StoredValueError(f"the marks of a stored model do not fit it: {payload[-80:]!r}")
    for held, names in objects:
        were_set = {name for name, mark in zip(names, marks, strict=False) if mark == _SET}
        if isinstance(held, BaseModel):
            held.__pydantic_fields_set__.intersection_update(were_set)


def _objects(found: Any, value: Any) -> Iterator[tuple[Any, Sequence[str]]]:
    """The names of every object of a JSON, in their order, with what it was read as, as far as is known."""
    if isinstance(value, RootModel):
        value = value.root
    if type(found) is list:
        values = value if type(value) in _LISTS and len(value) == len(found) else [None] * len(found)
        for each, held in zip(found, values, strict=True):
            yield from _objects(each, held)
    elif type(found) is dict:
        yield value, [*found]
        if isinstance(value, BaseModel):
            held_by_name = {**value.__dict__, **(value.__pydantic_extra__ or {})}
            values = [held_by_name.get(name) for name in found]
        else:
            has_all = type(value) is dict and len(value) == len(found)
            values = [*value.values()] if has_all else [None] * len(found)
        for each, held in zip(found.values(), values, strict=True):
            yield from _objects(each, held)


def _all_set(value: Any) -> bool:
    """Whether all fields of all models within a value have been set."""
    return all(len(names) == count for names, count in _sets_in(value))


def _sets_in(value: Any) -> Iterator[tuple[set[str], int]]:
    """The names of the fields that have been set of every model within a value, and how many it has."""
    if type(value) in _SCALARS:
        return
    if isinstance(value, BaseModel):
        held = [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
        yield value.__pydantic_fields_set__, len(held)
    elif isinstance(value, dict):
        held = [*value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        held = [*value]
    else:
        return
    for each in held:
        yield from _sets_in(each)
