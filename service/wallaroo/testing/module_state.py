"""What an application's modules keep in variables: forgotten in a crash, as by a process that begins anew.

Rules for whoever edits this file:
1. Numbers, texts, containers, objects of the application's own classes, counters, caches, and what functions
   and classes of its own hold become what they were when the driver was made. Whatever else a variable holds,
   a connection say, stays.
2. An object stays the same object, and is filled again: others may hold it.
3. Nothing here raises: what cannot be copied is left alone.
"""

import copy
import functools
import itertools
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any

from wallaroo.api.stages import WrappedFunction
from wallaroo.serde.own_modules import imported_modules, is_user_module

_SCALARS = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)
_CONTAINERS = (dict, list, set, deque, bytearray)
_CACHE = type(functools.lru_cache(abs))
# A larger one is a table that was loaded rather than something noted down, and takes its time to copy.
_MOST_ITEMS = 10_000
_RANDOM = ("random", "Random")
_OF_DRIVERS = "wallaroo.testing"

Restore = Callable[[], None]


class ModuleState:
    """The variables of an application's modules as they are now; `forget` brings them back."""

    def __init__(self, application: ModuleType | None) -> None:
        modules = [] if application is None else list(_own_modules(application))
        self._own = frozenset(module.__name__ for module in modules)
        # By identity, what is filled again: a copy that refers to it refers to the object itself.
        self._kept: dict[int, Any] = {}
        self._noted: set[int] = set()
        self._restores: list[Restore] = []
        holders = [each for module in modules for each in (module, *self._classes_of(module))]
        for holder in holders:
            for value in vars(holder).values():
                if self._contents_of(value) is not None:
                    self._kept[id(value)] = value
        for holder in holders:
            self._note_variables(holder)

    def forget(self) -> None:
        """Let every variable be what it was."""
        for restore in self._restores:
            restore()

    def _classes_of(self, module: ModuleType) -> list[type]:
        return [each for each in vars(module).values() if type(each) is type and self._is_own(each)]

    def _is_own(self, value: Any) -> bool:
        return getattr(value, "__module__", None) in self._own

    def _note_variables(self, holder: Any) -> None:
        before = {name: value for name, value in vars(holder).items() if not name.startswith("__")}
        saved = {name: value for name, value in before.items() if self._note(value)}
        counters = {name: copy.copy(v) for name, v in before.items() if type(v) is itertools.count}
        self._restores.append(functools.partial(_rebind, holder, frozenset(before), saved, counters))

    def _note(self, value: Any) -> bool:
        """Note what is in a value; whether its variable is to hold it again."""
        if isinstance(value, _SCALARS) or id(value) in self._noted:
            return True
        self._noted.add(id(value))
        match value:
            case WrappedFunction():
                return self._note(value.func)
            case FunctionType() if self._is_own(value):
                return self._note_function(value)
            case _CACHE():
                self._restores.append(value.cache_clear)
                return self._note(getattr(value, "__wrapped__", None))
            case _ if _name_of(type(value)) == _RANDOM:
                self._restores.append(functools.partial(value.setstate, value.getstate()))
        contents = self._contents_of(value)
        if contents is not None and len(contents) <= _MOST_ITEMS:
            self._restores.append(functools.partial(_fill, contents, _Saved(contents, self._kept)))
        return contents is not None

    def _note_function(self, function: FunctionType) -> bool:
        """A function keeps things in its attributes, in defaults that can be changed, and around itself."""
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for value in (function.__dict__, *defaults):
            if not isinstance(value, _SCALARS):
                self._note(value)
        for cell in function.__closure__ or ():
            held = _held_in(cell)
            if self._note(held):
                self._restores.append(functools.partial(setattr, cell, "cell_contents", held))
        return True

    def _contents_of(self, value: Any) -> Any:
        """The container that holds what is in a value; None if that is left alone."""
        if isinstance(value, _CONTAINERS):
            return value
        if type(value).__module__ not in self._own or isinstance(value, type | threading.local):
            # What stages have put into a thread-local object ends with their threads.
            return None
        return getattr(value, "__dict__", None)


class _Saved:
    """A copy of a container, from which it can be filled again and again."""

    def __init__(self, container: Any, kept: dict[int, Any]) -> None:
        self._kept = kept
        self._copy = self._copied(container)

    def take(self) -> Any:
        return self._copied(self._copy)

    def _copied(self, container: Any) -> Any:
        memo = dict(self._kept)
        if isinstance(container, dict):
            return {key: _copied(value, memo) for key, value in container.items()}
        return [_copied(each, memo) for each in container]


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except BaseException:  # whatever the application's own objects raise
        return value


def _fill(container: Any, saved: _Saved) -> None:
    container.clear()
    add = container.extend if isinstance(container, list | deque | bytearray) else container.update
    add(saved.take())


def _rebind(holder: Any, names: frozenset[str], saved: dict[str, Any], counters: dict[str, Any]) -> None:
    for name, value in list(vars(holder).items()):
        is_new = name not in names and not name.startswith("__")
        if is_new and isinstance(value, (*_SCALARS, *_CONTAINERS)):
            delattr(holder, name)
    for name, value in saved.items():
        if vars(holder).get(name, holder) is not value:
            setattr(holder, name, value)
    for name, counter in counters.items():
        setattr(holder, name, copy.copy(counter))


def _name_of(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def _held_in(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _own_modules(application: ModuleType) -> Iterator[ModuleType]:
    """The application's module and those of its own that it has imported; no test, which has a driver."""
    found, ahead = {application.__name__}, [application]
    while ahead:
        module = ahead.pop()
        if any(name.startswith(_OF_DRIVERS) for name in imported_modules(module)):
            continue
        yield module
        for name in set(imported_modules(module)) - found:
            imported = sys.modules.get(name)
            if imported is not None and is_user_module(imported):
                found.add(name)
                ahead.append(imported)
