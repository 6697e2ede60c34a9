"""Names under which a field was stored before: its aliases, and those that Python makes of two underscores.

The name of a field itself goes first, and what is the name of another field is no alias here.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import AliasChoices, BaseModel

_UNIONS = (Union, UnionType)


def kept_private(kind: Any, stored: Iterable[str], missing: Iterable[str]) -> dict[str, str]:
    """The stored name by each missing one that Python has made of the same name in a class, or a parent.

    `__total` of a class `Account` is stored as `_Account__total`; the class may have another name since.
    """
    others = [name for name in stored if name[:1] == "_" and name[:2] != "__"]
    ends = {name: end for name in missing for end in [_end_of(kind, name)] if end}
    found = {}
    for name, end in ends.items():
        old = [each for each in others if each.endswith(end) and len(each) > len(end) + 1]
        if len(old) == 1 and [*ends.values()].count(end) == 1:
            [found[name]] = old
    return found


def _end_of(kind: Any, name: str) -> str:
    """The name in the class of what is stored under this one; empty if that is the same."""
    for parent in kind.__mro__:
        begin = "_" + parent.__name__.lstrip("_")
        if name.startswith(f"{begin}__"):
            return name[len(begin) :]
    return ""


@cache
def aliases_of(kind: Any) -> Mapping[str, str]:
    """The field of a pydantic model or a Struct by each of its aliases that is no name of a field."""
    found: dict[str, str] = {}
    if issubclass(kind, msgspec.Struct):
        names = kind.__struct_fields__
        found = dict(zip(kind.__struct_encode_fields__, names, strict=True))
    else:
        names = kind.model_fields
        for name, field in names.items():
            alias = field.validation_alias
            for each in alias.choices if isinstance(alias, AliasChoices) else [alias]:
                if isinstance(each, str):
                    found.setdefault(each, name)
    return MappingProxyType({alias: name for alias, name in found.items() if alias not in names})


def by_field(kind: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under the names of the fields."""
    aliases = aliases_of(kind)
    named = {name: held for name, held in attributes.items() if name not in aliases}
    for alias, name in aliases.items():
        if alias in attributes:
            named.setdefault(name, attributes[alias])
    return named


def all_aliases(annotation: Any) -> frozenset[str]:
    """The aliases of a model, and of those that it declares within."""
    found: set[str] = set()
    seen: set[Any] = set()
    waiting = [annotation]
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            found.update(aliases_of(kind))
            waiting += [field.annotation for field in kind.model_fields.values()]
    return frozenset(found)


def json_by_field(annotation: Any, found: Any) -> Any:
    """`by_field` of the JSON of a model, and of those within, as far as their classes are declared."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return json_by_field(arguments[0], found)
    if origin in _UNIONS:
        aliased = [each for each in arguments if all_aliases(each)]
        return json_by_field(aliased[0], found) if len(aliased) == 1 else found
    if type(found) is list and arguments:
        return [json_by_field(arguments[0], each) for each in found]
    if type(found) is dict and len(arguments) == 2:  # noqa: PLR2004 - of keys and of values
        return {name: json_by_field(arguments[1], held) for name, held in found.items()}
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return _model_by_field(annotation, found) if is_model and type(found) is dict else found


def _model_by_field(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    fields = kind.model_fields
    return {
        name: json_by_field(fields[name].annotation, held) if name in fields else held
        for name, held in by_field(kind, found).items()
    }
