"""The protocol by which a window folds its messages into one output."""

import inspect
from typing import Any

from wallaroo.api.checks import check_factory, check_name, describe
from wallaroo.api.stages import BaseWrapped
from wallaroo.errors import WallarooParameterError

# What each method is called with, beside self; in the order in which the original asks for them.
_METHODS: dict[str, tuple[str, ...]] = {
    "name": (),
    "initial_accumulator": (),
    "update": ("input", "acc"),
    "combine": ("acc1", "acc2"),
    "output": ("key", "acc"),
}


class Aggregation(BaseWrapped):
    """Base for aggregations; any class with the same methods will do.

    A subclass defines:

    - `initial_accumulator(self)`: an empty accumulator, the identity of `combine`;
    - `update(self, input, acc)`: change `acc` in place, or return a new one;
    - `combine(self, acc1, acc2)`: both as one; associative, changes neither;
    - `output(self, key, acc)`: the message that the window emits, or None; changes nothing.
    """

    def name(self) -> str:
        """The name of the stage; the class's unless overridden."""
        return type(self).__name__


def is_aggregation_class(value: object) -> bool:
    """Whether this is a class with an aggregation's methods."""
    return isinstance(value, type) and all(hasattr(value, method) for method in _METHODS if method != "name")


def make_aggregation(windows: str, aggregation: Any) -> Any:
    """The aggregation that `.over(...)` was given, made and checked."""
    made = check_factory(f"{windows}.over: the aggregation", aggregation)()
    for method, parameters in _METHODS.items():
        _check_method(f"{windows}.over({describe(aggregation)})", made, method, parameters)
    check_name(f"{windows}.over({describe(aggregation)}): name()", made.name())
    return made


def _check_method(where: str, made: Any, method: str, parameters: tuple[str, ...]) -> None:
    function = getattr(made, method, None)
    if not callable(function):
        raise WallarooParameterError(f"Aggregation must have method '{method}': {where} has none")
    if not _takes(function, len(parameters)):
        raise WallarooParameterError(
            f"{where}: method '{method}' must be def {method}({', '.join(('self', *parameters))})"
        )


def _takes(function: Any, arguments: int) -> bool:
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    most = code.co_argcount - (1 if inspect.ismethod(function) else 0)
    least = most - len(function.__defaults__ or ())
    return least <= arguments and (arguments <= most or bool(code.co_flags & inspect.CO_VARARGS))
