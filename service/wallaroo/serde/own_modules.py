"""Which modules and classes are the application's own, for what may be named by stored bytes.

Own are the modules that lie outside of the standard library and of installed packages, and the package of
the module that has `application_setup`, wherever it lies. An installed package lends its plain classes, those
that run no code of their own when an object is filled, if an own module has imported it: a class may move
from beside the application into a package, and is stored as before.
"""

import re
import sys
import sysconfig
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from wallaroo.serde.stand_ins import VALUE_TYPES

_LIBRARY_FOLDERS = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_HEAP_TYPE = 1 << 9
_BASES = VALUE_TYPES | {object, bytes, tuple}
_BASE_PACKAGES = frozenset(["abc", "enum", "msgspec", "pydantic", "typing"])
_NOT_LENDING = _BASE_PACKAGES | {"confluent_kafka", "pydantic_core", "pydantic_settings", "wallaroo"}
# Called while an object is made, filled or thrown away: with what a stranger has put into it.
_CALLED_UNASKED = frozenset(
    [
        *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__del__"),
        *("__getnewargs__", "__getnewargs_ex__", "__new__"),
        *("__setattr__", "__getattr__", "__getattribute__"),
        *("append", "extend", "__setitem__"),
    ]
)
_GENERATORS = frozenset(["attr", "collections", "dataclasses", "enum", "pydantic", "typing"])


def is_installed(file: str) -> bool:
    """Whether a file belongs to the standard library or to an installed package."""
    return file.startswith(_STANDARD_LIBRARY) or any(part in file for part in _LIBRARY_FOLDERS)


def is_user_module(module: ModuleType | None) -> bool:
    """Whether a module lies outside the standard library, the installed libraries and this package."""
    file = getattr(module, "__file__", None)
    if module is None or not file or package_of(module.__name__) == "wallaroo":
        return False
    return not is_installed(file)


def package_of(name: str) -> str:
    """The first part of a dotted name."""
    return name.partition(".")[0]


def free_name(stem: str) -> str:
    """The name of an application's module where that of its file, `stem`, belongs to another module."""
    return "application_" + re.sub(r"\W", "_", stem)


def imported_modules(module: ModuleType) -> Iterator[str]:
    """The modules that a module has imported, or has classes or functions of."""
    for value in list(vars(module).values()):
        kind = type(value)
        # Objects of the user's classes are not asked for anything: they may raise.
        if issubclass(kind, ModuleType):
            yield ModuleType.__getattribute__(value, "__name__")
        elif issubclass(kind, type):
            yield type.__getattribute__(value, "__module__")
        else:
            yield value.__module__ if kind is FunctionType else type.__getattribute__(kind, "__module__")


def is_lendable(package: str) -> bool:
    """Whether an installed package may lend classes: the standard library and what we build on do not."""
    return package not in sys.stdlib_module_names and package not in _NOT_LENDING


def is_plain(kind: type) -> bool:
    """Whether a class is written in Python, and filling its objects runs no code written for it."""
    return all(map(_is_harmless, kind.__mro__))


def _is_harmless(parent: type) -> bool:
    if parent in _BASES or package_of(parent.__module__) in _BASE_PACKAGES:
        return True
    file = getattr(sys.modules.get(parent.__module__), "__file__", None)
    is_in_standard_library = package_of(parent.__module__) in sys.stdlib_module_names
    if is_in_standard_library or not str(file).endswith(".py") or not parent.__flags__ & _HEAP_TYPE:
        return False
    return all(_is_generated(vars(parent)[name]) for name in _CALLED_UNASKED & vars(parent).keys())


def _is_generated(method: Any) -> bool:
    """Whether a library for classes has made this method."""
    method = getattr(method, "__func__", method)
    if not isinstance(method, FunctionType):
        return False
    file = method.__code__.co_filename
    return package_of(method.__module__) in _GENERATORS or (file[:1] == "<" and file[:7] != "<frozen")
