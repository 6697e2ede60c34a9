"""Pickle for bytes that come from a topic: what may be loaded, and so what may be dumped."""

import importlib
import pickle
import sys
import sysconfig
from collections.abc import Callable, Iterable
from functools import cache, partial
from types import ModuleType
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.checked import CheckedPickle
from wallaroo.serde.pickling.constructors import Constructors
from wallaroo.serde.pickling.fillings import Fillings
from wallaroo.serde.pickling.guarded import read_guarded
from wallaroo.serde.pickling.literals import Guards
from wallaroo.serde.pickling.parts import parts_of
from wallaroo.serde.pickling.plain import is_plain

_VALUE_TYPES = frozenset(
    {
        ("builtins", "bytearray"),
        ("builtins", "complex"),
        ("builtins", "frozenset"),
        ("builtins", "range"),
        ("builtins", "set"),
        ("builtins", "slice"),
        ("collections", "Counter"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("collections", "deque"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("random", "Random"),
        ("uuid", "UUID"),
        ("uuid", "SafeUUID"),
        ("zoneinfo", "ZoneInfo"),
        # the time zone of every datetime that pydantic reads
        ("pydantic_core._pydantic_core", "TzInfo"),
        # what a defaultdict may be given to make its values with
        ("builtins", "dict"),
        ("builtins", "float"),
        ("builtins", "int"),
        ("builtins", "list"),
        ("builtins", "str"),
    }
)


class RestrictedPickle:
    """Loads only value types and the classes of the application's own, already imported modules.

    A forged record can name anything; what is not on the list is refused before it runs, so it
    becomes a StoredValueError and not code. What could not be loaded again is not dumped either.
    """

    def __init__(self, own_modules: Iterable[str] = ()) -> None:
        self._own_packages = frozenset(name.partition(".")[0] for name in own_modules)
        # The bytes; RecordError where `loads` would refuse them, and what the user's own pickling raises.
        self.dumps: Callable[[Any], bytes] = CheckedPickle(self.knows).dumps
        self._known: dict[tuple[str, str], type] = {}
        self._guards = Guards(
            self._find_once,
            cache(partial(parts_of, is_own=self._is_own)),
            Constructors(self._is_own),
            Fillings(self._is_own),
        )

    def knows(self, kind: type) -> bool:
        """Whether a class can be loaded again by its name."""
        try:
            return bool(self.find_class(kind.__module__, kind.__qualname__) is kind)
        except (StoredValueError, AttributeError, ImportError):
            return False

    def loads(self, data: bytes) -> Any:
        """The value; StoredValueError where the bytes are damaged or name something not allowed."""
        try:
            # Of plain values, pickle reads nothing that could do harm.
            return pickle.loads(data) if is_plain(data) else read_guarded(data, self._guards)  # noqa: S301
        except StoredValueError:
            raise
        except Exception as error:  # damaged pickles raise nearly anything
            # What an error holds of a value can be endless, and the text of its cause is somebody's to read.
            told = all(type(each) in (str, int) for each in error.args)
            text = repr(error) if told else type(error).__name__
            raise StoredValueError(f"a pickled value cannot be read: {text}") from error if told else None

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name of a pickle; StoredValueError where it is not allowed."""
        if (module, name) in _VALUE_TYPES:
            return _attribute(importlib.import_module(module), name)
        if self._is_own(module) and module in sys.modules:
            found = _attribute(sys.modules[module], name)
            # A class that the module merely imported (subprocess.Popen, say) is not its own.
            if isinstance(found, type) and self._is_own(found.__module__):
                return found
        raise StoredValueError(
            f"a stored value names {module}.{name}, which is neither a value type nor a class of the "
            "application's own modules; if it is yours, define serialize and deserialize in the application"
        )

    def _find_once(self, module: str, name: str) -> Any:
        found = self._known.get((module, name))
        if found is None:
            found = self.find_class(module, name)
            # There may be any number of other names for one class.
            if (found.__module__, found.__qualname__) == (module, name):
                self._known[module, name] = found
        return found

    def _is_own(self, module: str | None) -> bool:
        package = str(module).partition(".")[0]
        return package in self._own_packages or _is_a_persons_file(sys.modules.get(str(module)))


def _attribute(module: Any, qualified_name: str) -> Any:
    found = module
    for part in qualified_name.split("."):
        found = getattr(found, part)
    return found


_LIBRARY_FOLDERS = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


def _is_a_persons_file(module: ModuleType | None) -> bool:
    """Whether a module lies outside the standard library, the installed libraries and this package."""
    file = getattr(module, "__file__", None)
    if module is None or not file or module.__name__.partition(".")[0] == "wallaroo":
        return False
    return not file.startswith(_STANDARD_LIBRARY) and not any(part in file for part in _LIBRARY_FOLDERS)
