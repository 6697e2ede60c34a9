"""Pickle that refuses to write what the restricted unpickler would refuse to read.

What cannot be read back is found while there is still a record to blame, and not at the next restart.
"""

import copyreg
import io
import pickle
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any
from zoneinfo import ZoneInfo

from wallaroo.errors import RecordError
from wallaroo.serde.pickling.constructors import USUAL

# Of these, pickle writes no name; only what they hold may have one.
NAMELESS = frozenset({dict, list, tuple, set, frozenset, str, bytes, int, float, bool, type(None)})
Readable = Callable[[type], bool]


class CheckedPickle:
    """`dumps` as pickle's own; RecordError for a class or function that `readable` does not know."""

    def __init__(self, readable: Readable) -> None:
        self._checked = _Checked(readable)

    def dumps(self, value: Any) -> bytes:
        if type(value) in NAMELESS:
            made = pickle.dumps(value, protocol=5)
            # Every name in a pickle ends in this opcode.
            if pickle.STACK_GLOBAL not in made:
                return made
        return self._checked.dumps(value)


class _Checked(threading.local):
    """One pickler per thread: to make one costs more than most values."""

    def __init__(self, readable: Readable) -> None:
        self._stream = io.BytesIO()
        self._pickler = _Pickler(self._stream, readable)

    def dumps(self, value: Any) -> bytes:
        self._stream.seek(0)
        self._stream.truncate()
        try:
            self._pickler.dump(value)
        finally:
            self._pickler.clear_memo()
        return self._stream.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, readable: Readable) -> None:
        super().__init__(stream, protocol=5)
        self._is_readable = readable
        self._readable: set[type] = set()

    def reducer_override(self, value: Any) -> Any:
        """How to pickle whatever is not of a built-in type; NotImplemented for the usual way."""
        kind = type(value)
        if isinstance(value, type):
            self._check(value)
        elif kind is FunctionType:
            raise _refusal(f"the function {value.__qualname__}")
        elif kind is ZoneInfo and value.key:
            return ZoneInfo, (value.key,)
        elif (kind.__reduce_ex__, kind.__reduce__) != USUAL:
            return self._reduced(value)
        return NotImplemented

    def _check(self, named: type) -> None:
        if named not in self._readable:
            if not self._is_readable(named):
                raise _refusal(f"{named.__module__}.{named.__qualname__}")
            self._readable.add(named)

    def _reduced(self, value: Any) -> Any:
        if type(value) in copyreg.dispatch_table:
            return NotImplemented
        reduced = value.__reduce_ex__(5)
        # A name alone: an object that is found again where it was declared, not made anew.
        if isinstance(reduced, str):
            raise _refusal(repr(value))
        return reduced


def _refusal(what: str) -> RecordError:
    return RecordError(
        f"{what} cannot be stored or sent through a topic: it is neither a value type nor a class of the "
        "application's own modules, so it could not be read back; hold plain values instead, or define "
        "serialize and deserialize in the application"
    )
