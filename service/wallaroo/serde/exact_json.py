"""Values as JSON, if JSON is exact: the same keys and values come back, of the same types.

These are flat mappings with keys of text, and pydantic models by field name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import itemgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import AllowInfNan, BaseModel, Strict

from wallaroo.errors import StoredValueError
from wallaroo.serde.fields_set import marking_unset, marking_unset_scalars
from wallaroo.serde.revive import unfit_model

_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_decode, _decode_lines = msgspec.json.Decoder().decode, msgspec.json.Decoder().decode_lines
_EXACT = frozenset({int, str, bool, NoneType})
_EXACT_IF_FINITE = _EXACT | {float}
# In longer JSON, an integer may have too many digits to be read back.
_LONGEST_BYTES = 4000
# Of these, values that are equal are the same.
_SIMPLE = _EXACT_IF_FINITE | {bytes}

# What a model may declare without changing, or refusing, a finite value of a declared type.
_HARMLESS_METADATA = frozenset({AllowInfNan, Strict})
_SETTINGS_OF_READING = {"strict", "allow_inf_nan", "extra", "from_attributes", "cache_strings", "frozen"}
_SETTINGS_OF_NAMES = {"populate_by_name", "validate_by_name", "validate_by_alias", "alias_generator"}
_SETTINGS_OF_TEXTS = {"title", "json_schema_extra", "hide_input_in_errors", "loc_by_alias"}
_HARMLESS_SETTINGS = _SETTINGS_OF_READING | _SETTINGS_OF_NAMES | _SETTINGS_OF_TEXTS
# A class that defines one of these makes its models in its own way.
_OWN_MAKING = frozenset(["__init__", "model_post_init", "__get_pydantic_core_schema__"])


def exact_json(values: Mapping[str, Any]) -> bytes | None:
    """The JSON; None if a key or a value would come back changed."""
    for name, value in values.items():
        kind = type(value)
        if kind is float:
            # JSON has no infinity and no NaN: only these do not differ from themselves by 0.
            if value - value != 0:
                return None
        elif kind not in _EXACT:
            return None
        if type(name) is not str:
            return None
    try:
        made = _encode(values)
    except (ValueError, TypeError, OverflowError):
        return None
    return made if len(made) <= _LONGEST_BYTES else None


def read_json(payload: bytes) -> dict[str, Any]:
    """What `exact_json` was given; StoredValueError if the bytes are no JSON object."""
    found = _decode(payload)
    if type(found) is not dict:
        raise StoredValueError(f"this is no JSON object: {payload[:80]!r}")
    return found


def exact_json_lines(rows: Sequence[Any], prefix: bytes) -> list[bytes] | None:
    """`exact_json` of each behind a prefix, of dicts or of Structs; None if it is None for one of them."""
    are_dicts = type(rows[0]) is dict
    values_of: Callable[[Any], Iterable[Any]] = dict.values if are_dicts else msgspec.structs.astuple
    if not _EXACT_IF_FINITE.issuperset(map(type, chain.from_iterable(map(values_of, rows)))):
        return None
    if are_dicts and not {str}.issuperset(map(type, chain.from_iterable(rows))):
        return None
    try:
        made = _encode_lines(rows)
    except (ValueError, TypeError, OverflowError):
        return None
    # msgspec writes null for a float that is not finite.
    if b"null" in made and not all(map(_is_finite, chain.from_iterable(map(values_of, rows)))):
        return None
    # All prefixes at once, which is faster than one by one; there is one too many, behind the last line.
    # A prefix may have a line feed in it; JSON has no zero byte.
    lines = (prefix + made.replace(b"\n", b"\0" + prefix)).split(b"\0")
    del lines[-1]
    return None if max(map(len, lines), default=0) > len(prefix) + _LONGEST_BYTES else lines


def read_json_lines(data: Sequence[bytes], prefix: bytes) -> list[dict[str, Any]] | None:
    """What `exact_json_lines` was given; None if a line may be anything else.

    A line feed between braces stands between two objects, as JSON escapes those of a text. So each line is at
    least one object, and exactly one if there are as many objects as lines.
    """
    opening, breaks = prefix + b"{", len(data) - 1
    if {*map(itemgetter(slice(len(opening))), data)} != {opening}:
        return None
    lines = b"\n".join(map(itemgetter(slice(len(prefix), None)), data))
    if not lines.count(b"}\n{") == lines.count(b"\n") == breaks:
        return None
    try:
        found: list[dict[str, Any]] = _decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if len(found) == len(data) else None


def model_dump(kind: type[BaseModel], *, marks_unset: bool) -> Callable[[Any], bytes | None] | None:
    """Return the function that dumps models of this class; None if they are more than their fields.

    The function returns None for a model that would come back changed. `marks_unset` says behind the JSON
    which of its fields have been set, if not all have.
    """
    excluded = any(field.exclude for field in kind.model_fields.values())
    if kind.__private_attributes__ or excluded:
        return None
    scalars = _scalar_fields(kind)
    dump = _dump_and_compare if scalars is None else _scalar_dump(scalars)
    if not marks_unset:
        return dump
    return marking_unset(kind, dump) if scalars is None else marking_unset_scalars(dump)


def load_model(kind: Any, payload: bytes) -> Any:
    """The model; StoredValueError if the JSON does not fit it."""
    try:
        return kind.__pydantic_validator__.validate_json(payload, by_alias=False, by_name=True)
    except ValueError as error:
        raise unfit_model(kind, error) from error


def model_validator(kind: Any) -> Callable[..., Any]:
    """What makes models of JSON."""
    validate: Callable[..., Any] = kind.__pydantic_validator__.validate_json
    return validate


def _scalar_dump(types: Mapping[str, frozenset[type]]) -> Callable[[Any], bytes | None]:
    """The dump of a model of scalars: JSON is exact if each value is of a declared type."""
    count = len(types)

    def dump_scalars(model: BaseModel) -> bytes | None:
        fields = model.__dict__
        if len(fields) != count:
            return _dump_and_compare(model)
        try:
            for name, value in fields.items():
                kind = type(value)
                # JSON has no infinity and no NaN.
                if kind not in types[name] or (kind is float and value - value != 0):
                    return _dump_and_compare(model)
            made = _encode(fields)
        except (KeyError, ValueError, OverflowError):
            return _dump_and_compare(model)
        return made if len(made) <= _LONGEST_BYTES else _dump_and_compare(model)

    return dump_scalars


def _scalar_fields(kind: type[BaseModel]) -> dict[str, frozenset[type]] | None:
    """The types that each field may hold; None if one is no scalar, or is validated further."""
    parents = kind.__mro__[: kind.__mro__.index(BaseModel)]
    if any(not _OWN_MAKING.isdisjoint(vars(each)) for each in parents):
        return None
    if kind.__pydantic_decorators__ != BaseModel.__pydantic_decorators__:
        return None
    config = kind.model_config
    if not config.keys() <= _HARMLESS_SETTINGS or config.get("extra") == "allow":
        return None
    fields = kind.model_fields.items()
    found = {name: _scalar_types(field.annotation, field.metadata) for name, field in fields}
    return found if all(found.values()) else None


def _scalar_types(annotation: Any, metadata: Sequence[Any] = ()) -> frozenset[type]:
    """The types of scalars that this is an annotation for; none if it allows anything else."""
    if not _HARMLESS_METADATA.issuperset(map(type, metadata)):
        return frozenset()
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _scalar_types(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        choices = [*map(_scalar_types, arguments)]
        return frozenset().union(*choices) if all(choices) else frozenset()
    return frozenset([annotation]) if origin is None and annotation in _EXACT_IF_FINITE else frozenset()


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


def _is_finite(value: Any) -> bool:
    return type(value) is not float or value - value == 0
