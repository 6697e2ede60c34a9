"""Pickle for bytes that come from a topic: what may be loaded, and so what may be dumped.

Rules for whoever edits this file:
1. A pickle names value types, classes of the application's own modules and plain ones of packages that these
   import, and calls nothing else but what makes a Struct with keyword-only fields.
2. Classes, enum members and time zones belong to the whole process: no pickle changes them.
3. Any bytes are a value or a StoredValueError. Time and memory are not defended.

`find_class` sees names only, not what is called or filled. A pickle with names is therefore read twice: with
stand-ins, which execute nothing and refuse what pickle would not have written, then with the classes.
"""

import copyreg
import io
import pickle
import sys
import threading
from array import array
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import PurePath
from types import FunctionType
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import msgspec
import msgspec._utils
from pydantic import BaseModel

from wallaroo.errors import Interrupt, RecordError, StoredValueError, text_of
from wallaroo.serde.fitting import (
    Find,
    Placeholder,
    listed_fields,
    load_fitting,
    misfits,
    without_fields,
)
from wallaroo.serde.own_modules import imported_modules, is_lendable, is_plain, is_user_module, package_of
from wallaroo.serde.stand_ins import (
    NAMELESS,
    USUAL,
    VALUE_TYPES,
    StructMaker,
    has_unfilled,
    is_numpy_scalar,
    stand_in_of,
)

# The one function that a pickle may name: how msgspec pickles a Struct with keyword-only fields.
_STRUCT_FUNCTION = ("msgspec._utils", "rebuild")
_make_struct = StructMaker()
_rebuild_struct = msgspec._utils.rebuild  # type: ignore[attr-defined]  # noqa: SLF001
_VALUE_TYPE_OF = {(kind.__module__, kind.__qualname__): kind for kind in VALUE_TYPES}
# Python 3.13 has paths in a module of another name.
_VALUE_TYPE_OF |= {
    (module, kind.__qualname__): kind
    for kind in VALUE_TYPES
    if issubclass(kind, PurePath)
    for module in ("pathlib", "pathlib._local")
}


class RestrictedPickle:
    """Loads only value types and the classes of the application's own, already imported modules.

    `other_names` are names under which modules were stored that have another one now.

    A forged record can name anything; what is not on the list is refused before it runs, so it
    becomes a StoredValueError and not code. What could not be loaded again is not dumped either.
    """

    def __init__(self, own_modules: Iterable[str] = (), other_names: Mapping[str, str] | None = None) -> None:
        self._own_packages = frozenset(map(package_of, own_modules))
        self._other_names = other_names or {}
        self._lenders = lru_cache(1)(self._lending_packages)
        self._pickler = _ThreadPickler(self.knows)
        self._find = lru_cache(1000)(self._named)
        self._find_stand_in = lru_cache(1000)(self._stand_in)
        self._finders = lru_cache(1000)(self._new_finders)
        self._names_in = lru_cache(1000)(_changed_names)

    def dumps(self, value: Any) -> bytes:
        """The bytes; RecordError if `loads` would refuse them, or whatever the user's own pickling raises."""
        if type(value) in NAMELESS:
            made = pickle.dumps(value, protocol=5)
            # Every name in a pickle ends in this opcode.
            if pickle.STACK_GLOBAL not in made:
                return made
        return self._pickler.dumps(value)

    def loads(self, data: bytes, kind: type | None = None) -> Any:
        """The value; StoredValueError if the bytes are damaged, or ask for what is not allowed.

        `kind` is the class that the value should be of: it is found where it has been moved to.
        """
        if data[:2] not in _PROTOCOLS:
            begin = data[:2]
            raise StoredValueError(
                f"a pickled value cannot be read: it begins with {begin!r}, which is not ours"
            )
        try:
            if pickle.STACK_GLOBAL not in data:
                return _NamelessUnpickler(io.BytesIO(data)).load()
            find, find_stand_in = self._finders(kind)
            misfits.found = False
            checked = _Unpickler(data, find_stand_in)
            checked.load()
            names = {} if data.endswith(pickle.STOP) else self._names_in(_names_behind(data), find)
            is_unfilled = _MADE in data and has_unfilled(checked.memo.copy().values())
            if misfits.found or names or is_unfilled:
                return load_fitting(data, find_stand_in, find, self.is_own, names)
            return _Unpickler(data, find).load()
        except (StoredValueError, Interrupt):
            raise
        except BaseException as error:  # damaged pickles raise nearly anything
            # An error may hold part of a value, whose text is endless or made by code of its class.
            is_plain = all(type(each) in (str, int) for each in error.args)
            text = text_of(error, repr) if is_plain else type(error).__name__
            raise StoredValueError(f"a pickled value cannot be read: {text}") from error if is_plain else None

    def fields_in(self, data: bytes, kind: type) -> dict[str, Any] | None:
        """The fields of a pickled object whose class has become `kind`, which pickle does not fill.

        None if it is no object of that name with named fields.
        """

        def place(find: Find) -> Find:
            return lambda module, name: Placeholder if name == kind.__qualname__ else find(module, name)

        try:
            find = place(self._find)
            names = _read_names(_names_behind(data), find)
            found = load_fitting(data, place(self._find_stand_in), find, self.is_own, names)
        except Interrupt:
            raise
        except BaseException:  # as for `loads`, which has said why
            return None
        return found.fields if type(found) is Placeholder else None

    def _new_finders(self, kind: type | None) -> tuple[Find, Find]:
        if kind is None or not self.is_own(kind.__module__):
            return self._find, self._find_stand_in

        def find(module: str, name: str) -> Callable[..., Any]:
            has_its_name = name == kind.__qualname__ and module != kind.__module__
            has_moved = has_its_name and not self._has(module, name)
            return self._find(kind.__module__ if has_moved else module, name)

        def find_stand_in(module: str, name: str) -> Callable[..., Any]:
            named = find(module, name)
            return self._find_stand_in(named.__module__, name) if isinstance(named, type) else named

        return find, find_stand_in

    def _has(self, module: str, name: str) -> bool:
        try:
            self.find_class(module, name)
        except (StoredValueError, AttributeError):
            return False
        return True

    def knows(self, kind: type) -> bool:
        """Whether a class can be loaded again by its name."""
        try:
            return self.find_class(kind.__module__, kind.__qualname__) is kind
        except (StoredValueError, AttributeError, ImportError):
            return False

    def find_class(self, module: str, name: str) -> type:
        """The class of this name; StoredValueError if it is not allowed."""
        if (module, name) in _VALUE_TYPE_OF:
            return _VALUE_TYPE_OF[module, name]
        if is_numpy_scalar(module, name) and module in sys.modules:
            scalar: type = getattr(sys.modules[module], name)
            return scalar
        module = self._other_names.get(module, module)
        if module in sys.modules and (self.is_own(module) or self._lends(module)):
            first, *inner = name.split(".")
            found = getattr(sys.modules[module], first)
            # A class is found in modules and classes only, not in functions or other objects.
            for part in inner:
                found = getattr(found, part) if isinstance(found, type) else None
            # A class that the module merely imported (subprocess.Popen, say) is not its own.
            if isinstance(found, type) and self._may_be_named(found):
                return found
        raise StoredValueError(
            f"a stored value names {module}.{name}, which is neither a value type nor a class of the "
            "application's own modules or a plain one of a package that they import; if it is yours and has "
            f"moved or got another name, let {module} have it under the old one too, or define serialize and "
            "deserialize in the application"
        )

    def _named(self, module: str, name: str) -> Callable[..., Any]:
        return _make_struct if (module, name) == _STRUCT_FUNCTION else self.find_class(module, name)

    def _stand_in(self, module: str, name: str) -> Callable[..., Any]:
        named = self._named(module, name)
        return stand_in_of(named, self.is_own) if isinstance(named, type) else named

    def _may_be_named(self, kind: type) -> bool:
        return self.is_own(kind.__module__) or (self._lends(kind.__module__) and is_plain(kind))

    def is_own(self, module: str | None) -> bool:
        """Whether a module is the application's own."""
        return package_of(str(module)) in self._own_packages or is_user_module(sys.modules.get(str(module)))

    def _lends(self, module: str) -> bool:
        package = package_of(module)
        # More modules may have been imported since the last time.
        return is_lendable(package) and package in self._lenders(len(sys.modules))

    def _lending_packages(self, _modules: int) -> frozenset[str]:
        own = [module for name, module in list(sys.modules.items()) if self.is_own(name)]
        return frozenset(package_of(name) for module in own for name in imported_modules(module))


@lru_cache(1000)
def _names_of(kinds: tuple[Any, ...]) -> list[bytes]:
    names = {f"{kind.__module__}:{kind.__qualname__}": listed_fields(kind) for kind in kinds}
    return [msgspec.json.encode(names)]


def _names_behind(data: bytes) -> bytes:
    """What `_names_of` has put behind a pickle; nothing if there is none."""
    if data.rstrip(b" ").endswith(pickle.STOP):
        return b""
    return b"{" + data.rpartition(pickle.STOP + b"{")[2]


def _read_names(stored: bytes, find: Find) -> dict[Any, tuple[str, ...]]:
    """The stored fields of each class."""
    names = msgspec.json.decode(stored or b"{}", type=dict[str, tuple[str, ...]])
    return {find(*name.split(":", 1)): fields for name, fields in names.items()}


def _changed_names(stored: bytes, find: Find) -> dict[Any, tuple[str, ...]]:
    """The stored fields of each class, if a class has others now; else nothing."""
    names = _read_names(stored, find)
    return names if any(listed_fields(kind) != fields for kind, fields in names.items()) else {}


# Whatever pickle makes is put into its memo at once. Text may hold these bytes too.
_MADE = pickle.NEWOBJ + pickle.MEMOIZE
_PROTOCOLS = (pickle.PROTO + b"\x04", pickle.PROTO + b"\x05")


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, find: Callable[[str, str], Callable[..., Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._find = find

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        return self._find(module, name)


class _NamelessUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise StoredValueError(f"a stored value names {module}.{name} by an opcode which is not ours")


class _ThreadPickler(threading.local):
    """One pickler per thread: to make one costs more than most values."""

    def __init__(self, is_readable: Callable[[type], bool]) -> None:
        self._stream = io.BytesIO()
        self._pickler = _Pickler(self._stream, is_readable)

    def dumps(self, value: Any) -> bytes:
        self._stream.seek(0)
        self._stream.truncate()
        try:
            self._pickler.dump(value)
        finally:
            self._pickler.clear_memo()
            listed = self._pickler.take_listed()
        made = self._stream.getvalue()
        return made + b"".join(_names_of(tuple(listed))) if listed else made


def _call_of(kind: Any, value: Any) -> Any:
    """The call that makes a value type which pickles itself by a function; None for any other."""
    if kind is ZoneInfo and value.key:
        return ZoneInfo, (value.key,)
    if kind is array:
        return array, (value.typecode, value.tolist())
    return (kind, (value.item(),)) if is_numpy_scalar(kind.__module__, kind.__name__) else None


def _own_way(kind: Any, value: Any) -> Any:
    """How a class pickles its objects, by name and not by position if that can be: fields may come and go."""
    if (kind.__reduce_ex__, kind.__reduce__) != USUAL and kind not in copyreg.dispatch_table:
        reduced = value.__reduce_ex__(5)
        # A name alone: the object would be looked up in its module instead of being made.
        if isinstance(reduced, str):
            raise _not_storable(repr(value))
        if issubclass(kind, msgspec.Struct) and kind.__reduce__ is msgspec.Struct.__reduce__:
            return _rebuild_struct, (kind, msgspec.structs.asdict(value))
        return reduced
    if issubclass(kind, BaseModel) and not value.__dict__.keys() >= kind.model_fields.keys():
        function, arguments, held, *_ = value.__reduce_ex__(5)
        return function, arguments, without_fields(kind, held)
    return NotImplemented


class _Pickler(pickle.Pickler):
    """Refuses what could not be read back while there is still a record to blame, not at the next restart."""

    def __init__(self, stream: io.BytesIO, is_readable: Callable[[type], bool]) -> None:
        super().__init__(stream, protocol=5)
        self._is_readable = is_readable
        self._readable: set[type] = set()
        self._listed: dict[Any, None] = {}

    def take_listed(self) -> list[Any]:
        """The classes of `listed_fields` met since the last time, in their order."""
        taken = [*self._listed]
        self._listed.clear()
        return taken

    def reducer_override(self, value: Any) -> Any:
        """How to pickle whatever is not of a built-in type; NotImplemented for the usual way."""
        kind: Any = type(value)
        if isinstance(value, type):
            self._check(value)
            return NotImplemented
        if listed_fields(kind) is not None:
            self._listed[kind] = None
            return NotImplemented
        if kind is FunctionType:
            if (value.__module__, value.__qualname__) == _STRUCT_FUNCTION:
                return NotImplemented
            raise _not_storable(f"the function {value.__qualname__}")
        made = _call_of(kind, value)
        return _own_way(kind, value) if made is None else made

    def _check(self, named: type) -> None:
        if named not in self._readable:
            if not self._is_readable(named):
                raise _not_storable(f"{named.__module__}.{named.__qualname__}")
            self._readable.add(named)


def _not_storable(what: str) -> RecordError:
    return RecordError(
        f"{what} cannot be stored or sent through a topic: it is neither a value type nor a class of the "
        "application's own modules, so it could not be read back; hold plain values instead (the page "
        "Upgrading lists what can be stored), or define serialize and deserialize in the application"
    )
