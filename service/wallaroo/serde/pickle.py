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
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import FunctionType
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from wallaroo.errors import Interrupt, RecordError, StoredValueError, text_of
from wallaroo.serde.own_modules import imported_modules, is_lendable, is_plain, is_user_module, package_of
from wallaroo.serde.stand_ins import NAMELESS, USUAL, VALUE_TYPES, StructMaker, stand_in_of

# The one function that a pickle may name: how msgspec pickles a Struct with keyword-only fields.
_STRUCT_FUNCTION = ("msgspec._utils", "rebuild")
_make_struct = StructMaker()
_VALUE_TYPE_OF = {(kind.__module__, kind.__qualname__): kind for kind in VALUE_TYPES}


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

    def dumps(self, value: Any) -> bytes:
        """The bytes; RecordError if `loads` would refuse them, or whatever the user's own pickling raises."""
        if type(value) in NAMELESS:
            made = pickle.dumps(value, protocol=5)
            # Every name in a pickle ends in this opcode.
            if pickle.STACK_GLOBAL not in made:
                return made
        return self._pickler.dumps(value)

    def loads(self, data: bytes) -> Any:
        """The value; StoredValueError if the bytes are damaged, or ask for what is not allowed."""
        if data[:2] not in _PROTOCOLS:
            begin = data[:2]
            raise StoredValueError(
                f"a pickled value cannot be read: it begins with {begin!r}, which is not ours"
            )
        try:
            if pickle.STACK_GLOBAL not in data:
                return _NamelessUnpickler(io.BytesIO(data)).load()
            _Unpickler(data, self._find_stand_in).load()
            return _Unpickler(data, self._find).load()
        except (StoredValueError, Interrupt):
            raise
        except BaseException as error:  # damaged pickles raise nearly anything
            # An error may hold part of a value, whose text is endless or made by code of its class.
            is_plain = all(type(each) in (str, int) for each in error.args)
            text = text_of(error, repr) if is_plain else type(error).__name__
            raise StoredValueError(f"a pickled value cannot be read: {text}") from error if is_plain else None

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
        module = self._other_names.get(module, module)
        if module in sys.modules and (self._is_own(module) or self._lends(module)):
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
            "application's own modules or a plain one of a package that they import; if it is yours, define "
            "serialize and deserialize in the application"
        )

    def _named(self, module: str, name: str) -> Callable[..., Any]:
        return _make_struct if (module, name) == _STRUCT_FUNCTION else self.find_class(module, name)

    def _stand_in(self, module: str, name: str) -> Callable[..., Any]:
        named = self._named(module, name)
        return stand_in_of(named, self._is_own) if isinstance(named, type) else named

    def _may_be_named(self, kind: type) -> bool:
        return self._is_own(kind.__module__) or (self._lends(kind.__module__) and is_plain(kind))

    def _is_own(self, module: str | None) -> bool:
        return package_of(str(module)) in self._own_packages or is_user_module(sys.modules.get(str(module)))

    def _lends(self, module: str) -> bool:
        package = package_of(module)
        # More modules may have been imported since the last time.
        return is_lendable(package) and package in self._lenders(len(sys.modules))

    def _lending_packages(self, _modules: int) -> frozenset[str]:
        own = [module for name, module in list(sys.modules.items()) if self._is_own(name)]
        return frozenset(package_of(name) for module in own for name in imported_modules(module))


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
        return self._stream.getvalue()


class _Pickler(pickle.Pickler):
    """Refuses what could not be read back while there is still a record to blame, not at the next restart."""

    def __init__(self, stream: io.BytesIO, is_readable: Callable[[type], bool]) -> None:
        super().__init__(stream, protocol=5)
        self._is_readable = is_readable
        self._readable: set[type] = set()

    def reducer_override(self, value: Any) -> Any:
        """How to pickle whatever is not of a built-in type; NotImplemented for the usual way."""
        kind = type(value)
        if isinstance(value, type):
            self._check(value)
        elif kind is FunctionType:
            if (value.__module__, value.__qualname__) == _STRUCT_FUNCTION:
                return NotImplemented
            raise _not_storable(f"the function {value.__qualname__}")
        elif kind is ZoneInfo and value.key:
            return ZoneInfo, (value.key,)
        elif (kind.__reduce_ex__, kind.__reduce__) != USUAL and kind not in copyreg.dispatch_table:
            reduced = value.__reduce_ex__(5)
            # A name alone: the object would be looked up in its module instead of being made.
            if isinstance(reduced, str):
                raise _not_storable(repr(value))
            return reduced
        return NotImplemented

    def _check(self, named: type) -> None:
        if named not in self._readable:
            if not self._is_readable(named):
                raise _not_storable(f"{named.__module__}.{named.__qualname__}")
            self._readable.add(named)


def _not_storable(what: str) -> RecordError:
    return RecordError(
        f"{what} cannot be stored or sent through a topic: it is neither a value type nor a class of the "
        "application's own modules, so it could not be read back; hold plain values instead, or define "
        "serialize and deserialize in the application"
    )
