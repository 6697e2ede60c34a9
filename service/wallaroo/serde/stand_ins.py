"""Stand-ins for the classes that a pickle names: reading it with these executes nothing.

A stand-in is called, made and filled as its class would be, and refuses a call with arguments that pickle
would not have written, and whatever would change an object of the whole process. What the reader does next
depends on the opcodes only, so with the classes it does the same again.
"""

import io
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from importlib import import_module
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import FunctionType, SimpleNamespace
from typing import Any, NoReturn
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, RootModel
from pydantic_core import TzInfo

from wallaroo.errors import StoredValueError
from wallaroo.serde.fitting import IsOwn, lacks_when_empty, listed_fields, may_change, misfits, note_misfit
from wallaroo.serde.revive import maker_of, no_fresh_object

Allows = Callable[[tuple[Any, ...]], bool]

_BUILT_IN = {bytearray, complex, dict, float, frozenset, int, list, range, set, slice, str}
_COLLECTIONS = {Counter, OrderedDict, defaultdict, deque}
# TzInfo is the time zone of every datetime that pydantic reads.
_TIMES = {date, datetime, time, timedelta, timezone, ZoneInfo, TzInfo}
# A value type: no random number is drawn from it here.
_RANDOM: type = import_module("random").Random
_OTHERS = {Decimal, Fraction, _RANDOM, UUID, SafeUUID}
_ADDRESSES = {IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface}
_PATHS = {PurePosixPath, PureWindowsPath, PosixPath, WindowsPath}
# Made by a call with simple arguments, and with no others.
_CALLED = _ADDRESSES | _PATHS | {array, SimpleNamespace}
VALUE_TYPES: frozenset[type] = frozenset().union(_BUILT_IN, _COLLECTIONS, _TIMES, _OTHERS, _CALLED)
# Of numpy, the scalars that a Python number, text or boolean makes again.
_NUMPY_SCALARS = frozenset(
    [
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *("float16", "float32", "float64", "bool", "bool_", "str_"),
    ]
)
# How an object pickles itself unless its class says otherwise.
USUAL: Any = (object.__reduce_ex__, object.__reduce__)
# Constructors that only keep or convert what they are given.
_HARMLESS = (VALUE_TYPES - _CALLED) | {object, bytes, tuple, tzinfo, _RANDOM.__base__, BaseModel, RootModel}
# Pickle writes no name for these; only what they hold may have one.
NAMELESS = frozenset({dict, list, tuple, set, frozenset, str, bytes, int, float, bool, type(None)})
# How many lists of fields of one class are remembered.
_MOST_KNOWN = 100
# One object serves the whole process.
_SHARED = (Enum, ZoneInfo)


def is_numpy_scalar(module: str, name: str) -> bool:
    """Whether this is the name of a class of numpy that is a value type."""
    return module == "numpy" and name in _NUMPY_SCALARS


class _StandIn(type):
    """The class of stand-ins: like a class in a pickle, it may be called, but neither changed nor filled."""

    kind: type
    allows: Allows
    lacks_when_empty: bool
    blank: Callable[[type], Any]

    def __call__(cls, *arguments: Any) -> Any:
        if not cls.allows(arguments):
            raise _refusal("calls", cls.kind)
        return cls.blank(cls)

    def _refuse(cls, *_state: Any) -> NoReturn:
        raise _refusal("fills", type)

    # Found before a method of the same name that is for the objects of the class.
    __setstate__ = append = extend = property(_refuse)


class _SharedObject:
    """Stands for an object of the whole process: it takes no attributes."""

    __slots__ = ()

    def _refuse(self, _kind: Any) -> NoReturn:
        raise _refusal("fills", type(self))

    __class__: Any = property(type, _refuse)
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Object(_SharedObject):
    """Stands for any other object: it takes any attributes, and looks into nothing that it is given."""


class StructMaker:
    """Makes a Struct with keyword-only fields as `msgspec._utils.rebuild` does, but takes no attributes.

    It is given the class, or the stand-in of one.
    """

    __slots__ = ()

    def __call__(self, kind: Any, fields: Any) -> Any:
        is_stand_in = type(kind) is _StandIn
        if not issubclass(kind.kind if is_stand_in else kind, msgspec.Struct):
            raise _refusal("calls", StructMaker)
        return kind() if is_stand_in else maker_of(kind, no_fresh_object)(fields)

    def __setattr__(self, _name: str, _value: Any) -> NoReturn:
        raise _refusal("fills", StructMaker)


def has_unfilled(made: Collection[Any]) -> bool:
    """Whether pickle has only made one of these stand-ins, although objects of its class have fields."""
    for each in made:
        kind = type(each)
        if type(kind) is _StandIn and kind.lacks_when_empty and not each.is_filled:
            return True
    return False


def stand_in_of(kind: type, is_own: IsOwn) -> type:
    """A class whose calls are checked, and whose objects can be filled as those of `kind`, but do nothing."""
    is_shared = issubclass(kind, _SHARED)
    base: Any = object
    if not is_shared:
        base = dict if issubclass(kind, dict) else list if issubclass(kind, list | deque) else object
    members: dict[str, Any] = {"__slots__": ()} if is_shared else _filling_methods(kind, is_own)
    allows = _allowed_in_making(kind, is_own)

    def make(cls: type, *arguments: Any, **named: Any) -> Any:
        if not allows((*arguments, *named.values())):
            raise _refusal("calls", kind)
        return base.__new__(cls)

    new: Any = kind.__new__
    if new is object.__new__ and not hasattr(kind, "__getnewargs__"):
        # Pickle gives it no arguments. Those of a named tuple, which the class may have been, would be lost.
        pass
    elif allows is _any:
        # `object` takes arguments for a class with this method, and makes the object at the speed of C.
        members["__init__"] = id
    else:
        members["__new__"] = make
    # The opcodes OBJ and INST call a class that has this method, and only make an object of any other.
    if hasattr(kind, "__getinitargs__"):
        members["__getinitargs__"] = id
    members |= {
        "kind": kind,
        "allows": staticmethod(_allowed_in_calling(kind, is_own)),
        "lacks_when_empty": is_own(kind.__module__) and lacks_when_empty(kind),
        "blank": base.__new__,
    }
    return _StandIn(kind.__qualname__, (_SharedObject if is_shared else _Object, base), members)


def _filling_methods(kind: type, is_own: IsOwn) -> dict[str, Any]:
    """Methods by which pickle fills an object; `id` takes one argument and does nothing with it."""
    found: dict[str, Any] = {"__setstate__": id} if hasattr(kind, "__setstate__") else {}
    if is_own(kind.__module__) and may_change(kind):
        found["__setstate__"] = _noting(kind)
        found["is_filled"] = False
    # The one that pickle would use.
    adding = next((name for name in ("extend", "append") if hasattr(kind, name)), None)
    if adding and _is_own_function(getattr(kind, adding), is_own):
        found[adding] = id
    if not issubclass(kind, dict) and _is_own_function(getattr(kind, "__setitem__", None), is_own):
        found["__setitem__"] = lambda _self, _key, _value: None
    return found


def _noting(kind: type) -> Callable[[Any, Any], None]:
    """Takes what is stored of an object as pickle would, and notes whether it fits the class."""

    # The names of fields that are known to fit.
    known: set[tuple[Any, ...]] = set()
    is_flat = not issubclass(kind, BaseModel)
    listed = listed_fields(kind)

    def note(stand_in: Any, state: Any) -> None:
        if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # noqa: PLR2004 - what pickle makes
            for name, held in state[1].items():
                setattr(stand_in, name, held)
            stand_in.is_filled = True
        elif type(state) is dict:
            # What is given to an object may be a method that pickle calls: then the stand-in refuses it.
            stand_in.__dict__.update(state)
            stand_in.is_filled = True
            names = tuple(state)
            if names in known:
                return
            if note_misfit(kind, state) and is_flat and len(known) < _MOST_KNOWN:
                known.add(names)
            return
        elif type(state) is list:
            stand_in.is_filled = True
            misfits.found = misfits.found or listed is None or len(listed) != len(state)
            return
        else:
            raise _refusal("fills", kind)
        note_misfit(kind, state)

    return note


def _any(_arguments: tuple[Any, ...]) -> bool:
    return True


def _never(_arguments: tuple[Any, ...]) -> bool:
    return False


def _simple(arguments: tuple[Any, ...]) -> bool:
    return NAMELESS.issuperset(map(type, arguments))


def _allowed_in_making(kind: type, is_own: IsOwn) -> Allows:
    """Which arguments `__new__` may be given."""
    if issubclass(kind, type | Enum):
        return _never
    if _is_trusted(kind, "__new__", is_own):
        return _any
    takes_arguments = hasattr(kind, "__getnewargs__") or hasattr(kind, "__getnewargs_ex__")
    return _simple if takes_arguments else lambda arguments: not arguments


def _allowed_in_calling(kind: type, is_own: IsOwn) -> Allows:
    """Which arguments a call may have: simple ones for classes of libraries that are pickled as a call."""
    if issubclass(kind, Enum):
        return lambda arguments: len(arguments) == 1
    calling = type(kind).__call__
    is_usual = (
        calling is type.__call__ or issubclass(kind, msgspec.Struct) or _is_own_function(calling, is_own)
    )
    # A file is opened by the call; a class that is made anew could bring any methods along.
    if issubclass(kind, type | io.IOBase) or not is_usual:
        return _never
    if _is_trusted(kind, "__new__", is_own) and _is_trusted(kind, "__init__", is_own):
        return _any
    return _never if (kind.__reduce_ex__, kind.__reduce__) == USUAL else _simple


def _is_trusted(kind: type, name: str, is_own: IsOwn) -> bool:
    """Whether a constructor is harmless, the application's own, or made of the fields of a class."""
    function = getattr(kind, name)
    if _is_own_function(function, is_own) or issubclass(kind, BaseException):
        return True
    if isinstance(function, FunctionType) and function.__code__.co_filename.startswith("<"):
        return not function.__code__.co_filename.startswith("<frozen")
    return next(each for each in kind.__mro__ if name in vars(each)) in _HARMLESS


def _is_own_function(function: Any, is_own: IsOwn) -> bool:
    return isinstance(function, FunctionType) and is_own(function.__module__)


def _refusal(verb: str, kind: type) -> StoredValueError:
    return StoredValueError(
        f"a stored value {verb} {kind.__module__}.{kind.__qualname__} as pickle would not"
    )
