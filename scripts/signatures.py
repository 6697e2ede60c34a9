"""Declarations as a reader wants them: types without the modules in which they live."""

import inspect
import re
from collections.abc import Callable
from enum import Enum, EnumMeta
from types import FunctionType, ModuleType
from typing import Any

LONGEST_LINE = 100

_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def declaration(name: str, value: Any) -> str:
    """What a name stands for, as it would be declared."""
    match value:
        case EnumMeta():
            return "\n".join(f"{name}.{member.name} = {str(member)!r}" for member in value)
        case type() if issubclass(value, Exception):
            return f"class {name}({value.__base__.__name__})"
        case type() if _is_made_of_nothing(value):
            return f"{name}()"
        case ModuleType():
            return f"import {value.__name__}"
        case type() | FunctionType():
            return _wrapped(name, value)
    return f"{name}: {type(value).__name__}"


def _is_made_of_nothing(cls: type) -> bool:
    """Whether nobody is to make one with arguments."""
    if any(not name.startswith("_") for name in getattr(cls, "__struct_fields__", ())):
        return False
    return cls.__init__ is object.__init__ and (
        cls.__new__ is object.__new__ or hasattr(cls, "__struct_fields__")
    )


def signature(name: str, func: Callable[..., Any]) -> str:
    """How a function, method or class is called, on one line."""
    return f"{name}({', '.join(_parameters(func))}{_end(func)}"


def _wrapped(name: str, func: Callable[..., Any]) -> str:
    line = signature(name, func)
    if len(line) <= LONGEST_LINE:
        return line
    lines = "".join(f"    {parameter},\n" for parameter in _parameters(func))
    return f"{name}(\n{lines}{_end(func)}"


def _parameters(func: Callable[..., Any]) -> list[str]:
    given = [p for p in inspect.signature(func).parameters.values() if p.name != "self"]
    shown = [_parameter(p) for p in given]
    first_named = next((n for n, p in enumerate(given) if p.kind is p.KEYWORD_ONLY), None)
    return shown if first_named is None else [*shown[:first_named], "*", *shown[first_named:]]


def _end(func: Callable[..., Any]) -> str:
    result = inspect.signature(func).return_annotation
    nothing = isinstance(func, type) or result in (inspect.Signature.empty, None)
    return ")" if nothing else f") -> {_type(result)}"


def _parameter(p: inspect.Parameter) -> str:
    stars = _STARS.get(p.kind, "")
    typed = f"{stars}{p.name}" if p.annotation is p.empty else f"{stars}{p.name}: {_type(p.annotation)}"
    if p.default is None and "None" not in typed:
        # Behind parameters with defaults, and refused when left out.
        return f"{typed} = REQUIRED"
    return typed if p.default is p.empty else f"{typed} = {_default(p.default)}"


def _type(annotation: Any) -> str:
    """The type without the modules in which its names live."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    # A type variable is shown with its variance.
    return _unions(re.sub(r"\b[a-z_]+\.(?=\w)|[~+-](?=[A-Z])", "", text))


def _unions(text: str) -> str:
    """`Union[A, B]` and `Optional[A]` as they are written today."""
    found = re.search(r"\b(Union|Optional)\[", text)
    if found is None:
        return text
    depth, parts, begin, end = 1, [], found.end(), found.end()
    while depth:
        depth += {"[": 1, "]": -1}.get(text[end], 0)
        if not depth or (depth == 1 and text[end] == ","):
            parts.append(text[begin:end].strip())
            begin = end + 1
        end += 1
    none = ["None"] if found[1] == "Optional" else []
    return _unions(text[: found.start()] + " | ".join([*parts, *none]) + text[end:])


def _default(value: Any) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    # a field of a dataclass that is made anew
    return "..." if repr(value) == "<factory>" else repr(value)
