"""Which calls of a class a stored value may make, by who has written what is called.

A call with an argument of somebody else's choosing may take forever, as `list(range(10**12))` does. The
application's own constructors get whatever is stored; those of value types what `arguments` says; those of
other libraries only where a class is pickled that way, and nothing that cannot be measured.
"""

from collections.abc import Mapping
from enum import Enum
from io import IOBase
from types import FunctionType
from typing import Any

import msgspec

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.arguments import RULES, Rule, enumerated, measured, never, nothing, whatever
from wallaroo.serde.pickling.budget import Budget
from wallaroo.serde.pickling.parts import IsOwn, is_generated

# How an object pickles itself unless its class says otherwise.
USUAL: Any = (object.__reduce_ex__, object.__reduce__)

_KEEPS_ITS_ARGUMENTS = (BaseException, msgspec.Struct)


class Constructors:
    """Calls classes; StoredValueError where pickle would not have written that call."""

    def __init__(self, is_own: IsOwn) -> None:
        self._is_own = is_own
        self._made: dict[type, list[Rule]] = {}
        self._called: dict[type, list[Rule]] = {}

    def make(self, kind: Any, arguments: Any, named: Any, budget: Budget) -> Any:
        """What `__new__` makes, as an opcode of its own asks for it."""
        _check_class(kind)
        rules = self._made.get(kind)
        if rules is None:
            rules = self._made[kind] = self._rules_of_making(kind)
        if rules or type(arguments) is not tuple:
            _judge(kind, rules, arguments, named, budget)
        return kind.__new__(kind, *arguments, **named)

    def call(self, kind: Any, arguments: Any, budget: Budget) -> Any:
        """What the class makes when it is called."""
        _check_class(kind)
        rules = self._called.get(kind)
        if rules is None:
            rules = self._called[kind] = self._rules_of_calling(kind)
        if rules or type(arguments) is not tuple:
            _judge(kind, rules, arguments, {}, budget)
        return kind(*arguments)

    def _rules_of_making(self, kind: type) -> list[Rule]:
        if issubclass(kind, Enum):
            return [never]
        takes_some = hasattr(kind, "__getnewargs__") or hasattr(kind, "__getnewargs_ex__")
        return self._rules(kind, ("__new__",), measured if takes_some else nothing)

    def _rules_of_calling(self, kind: type) -> list[Rule]:
        if issubclass(kind, Enum):
            return [enumerated]
        # A file is opened by the call.
        if issubclass(kind, IOBase) or not self._is_called_as_usual(kind):
            return [never]
        is_usual = (kind.__reduce_ex__, kind.__reduce__) == USUAL
        return self._rules(kind, ("__new__", "__init__"), never if is_usual else measured)

    def _is_called_as_usual(self, kind: type) -> bool:
        """Whether a call is `__new__` and `__init__`, or something of the application's own."""
        calling = type(kind).__call__
        return (
            calling is type.__call__
            or issubclass(kind, msgspec.Struct)
            or (isinstance(calling, FunctionType) and self._is_own(calling.__module__))
        )

    def _rules(self, kind: type, names: tuple[str, ...], unknown: Rule) -> list[Rule]:
        found = [self._rule(kind, name, unknown) for name in names]
        return [rule for rule in found if rule is not whatever]

    def _rule(self, kind: type, name: str, unknown: Rule) -> Rule:
        function = getattr(kind, name)
        if is_generated(function):
            return whatever
        if isinstance(function, FunctionType) and self._is_own(function.__module__):
            return whatever
        home = next(each for each in kind.__mro__ if name in vars(each))
        known = RULES.get(f"{home.__module__}.{home.__qualname__}.{name}")
        if known is not None:
            return known
        return whatever if issubclass(kind, _KEEPS_ITS_ARGUMENTS) else unknown


def _check_class(kind: Any) -> None:
    # A class that is made anew could bring methods along that are anything.
    if not isinstance(kind, type) or issubclass(kind, type):
        raise StoredValueError(f"a stored value calls something of type {type(kind).__qualname__}")


def _judge(kind: type, rules: list[Rule], arguments: Any, named: Mapping[str, Any], budget: Budget) -> None:
    if type(arguments) is tuple and not (rules and named):
        for rule in rules:
            if not rule(arguments, budget):
                break
        else:
            return
    raise StoredValueError(f"a stored value calls {kind.__module__}.{kind.__qualname__} as pickle would not")
