"""How an object that a stored value has made gets its attributes and items.

Only an object of the value itself may be filled, and only as pickle fills it. Its class says how, and never
the object, which may have been given an `extend` or a `__setstate__` that is anything.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import cache
from sys import intern
from types import FunctionType
from typing import Any
from zoneinfo import ZoneInfo

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.budget import Budget
from wallaroo.serde.pickling.parts import IsOwn

# Classes, and objects of which there is one in a process, whoever asks for it.
_EVERYBODYS = (type, Enum, ZoneInfo)
_RANDOM_VERSION = 3

Fill = Callable[[Any, Any, Budget], None]


class Fillings:
    """Fills objects; StoredValueError where pickle would not have written that."""

    def __init__(self, is_own: IsOwn) -> None:
        self._is_own = is_own
        self._way_of: Callable[[type], Fill] = cache(_way_of)
        self._takes_items: Callable[[type], bool] = cache(self._finds_items)

    def set_state(self, target: Any, state: Any, budget: Budget) -> None:
        self._way_of(type(target))(target, state, budget)

    def check_items(self, target: Any) -> None:
        """StoredValueError where pickle gives such an object no items."""
        if not self._takes_items(type(target)):
            raise _refusal(target)

    def append(self, target: Any, values: list[Any]) -> None:
        kind = type(target)
        if issubclass(kind, list | deque) or self._has_own(kind, "extend"):
            kind.extend.__get__(target)(values)
        elif self._has_own(kind, "append"):
            add = kind.append.__get__(target)
            for value in values:
                add(value)
        else:
            raise _refusal(target)

    def _finds_items(self, kind: type) -> bool:
        return issubclass(kind, dict) or self._has_own(kind, "__setitem__")

    def _has_own(self, kind: type, name: str) -> bool:
        """Whether it is the application that has written a method of its objects."""
        home = None if issubclass(kind, _EVERYBODYS) else _home(kind, name)
        function = vars(home)[name] if home else None
        return isinstance(function, FunctionType) and self._is_own(function.__module__)


def _home(kind: type, name: str) -> type | None:
    return next((each for each in kind.__mro__ if name in vars(each)), None)


def _way_of(kind: type) -> Fill:
    """How an object of a class gets its state."""
    if issubclass(kind, _EVERYBODYS):
        return _never
    home = _home(kind, "__setstate__")
    if home is None:
        return _set_attributes
    setter = vars(home)["__setstate__"]
    is_state = _STATES.get(f"{home.__module__}.{home.__qualname__}", _is_any_state)

    def fill(target: Any, state: Any, _budget: Budget) -> None:
        if not is_state(state):
            raise _refusal(target)
        setter.__get__(target, kind)(state)

    return fill


def _never(target: Any, _state: Any, _budget: Budget) -> None:
    raise _refusal(target)


def _set_attributes(target: Any, state: Any, budget: Budget) -> None:
    attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)  # noqa: PLR2004
    if not isinstance(attributes, dict | None) or not isinstance(slots, dict | None):
        raise _refusal(target)
    if attributes:
        budget.hash_all(attributes, target)
        held = target.__dict__
        for name, value in attributes.items():
            held[intern(name) if type(name) is str else name] = value
    for name, value in (slots or {}).items():
        if name == "__class__":
            raise _refusal(target)
        setattr(target, name, value)


def _is_random_state(state: Any) -> bool:
    """Other versions than the one there has been for fifteen years would count, or format text."""
    match state:
        case (version, numbers, _):
            return version == _RANDOM_VERSION and type(numbers) is tuple
    return False


def _is_uuid_state(state: Any) -> bool:
    return type(state) is dict and all(type(each) is int for each in state.values())


def _is_any_state(_state: Any) -> bool:
    return True


_STATES: dict[str, Callable[[Any], bool]] = {
    "random.Random": _is_random_state,
    "uuid.UUID": _is_uuid_state,
}


def _refusal(target: Any) -> StoredValueError:
    return StoredValueError(f"a stored value fills a {type(target).__qualname__} as pickle would not")
