"""Aggregations: how a window folds its messages into one output."""

import inspect
from typing import Any, NamedTuple

from wallaroo.api.checks import check_factory, check_name, describe
from wallaroo.api.stages import BaseWrapped
from wallaroo.errors import WallarooParameterError

# The parameters of each method beside self, in the order in which Wallaroo checks the methods.
_METHODS: dict[str, tuple[str, ...]] = {
    "name": (),
    "initial_accumulator": (),
    "update": ("input", "acc"),
    "combine": ("acc1", "acc2"),
    "output": ("key", "acc"),
}
_OUTPUT_WITH_WINDOW = 3


class Window(NamedTuple):
    """The window of an output: what `output` gets if it has a third parameter.

    `start` and `end` are nanoseconds since the Unix epoch; those of count windows are None. A range window
    covers `[start, end)`. A session begins with its first record, and ends the gap after its last one.
    `final` is False for an early result. `number` is that of a count window: 0 is the first of its key. It is
    None for all others.

    Example:

    >>> class Rate(wallaroo.Aggregation):
    ...     def initial_accumulator(self):
    ...         return 0
    ...     def update(self, request, acc):
    ...         return acc + 1
    ...     def combine(self, acc1, acc2):
    ...         return acc1 + acc2
    ...     def output(self, key, acc, window):
    ...         return acc * wallaroo.seconds(1) / (window.end - window.start)
    >>> Rate().output("rex", 120, wallaroo.Window(0, wallaroo.minutes(1)))
    2.0
    """

    start: int | None = None
    end: int | None = None
    final: bool = True
    number: int | None = None


class Aggregation(BaseWrapped):
    """Base class of aggregations, which fold the messages of a window; a class with these methods will do.

    - `initial_accumulator(self)` returns an empty accumulator, the identity of `combine`.
    - `update(self, input, acc)` changes `acc` in place, or returns a new one (which Wallaroo ignored).
    - `combine(self, acc1, acc2)` returns both as one; it is associative and changes neither.
    - `output(self, key, acc)` returns the message of the window, or None; it does not change `acc`. With a
      third parameter, `output(self, key, acc, window)`, it gets the `Window` too.

    Example:

    >>> class Total(wallaroo.Aggregation):
    ...     def initial_accumulator(self):
    ...         return 0
    ...     def update(self, amount, acc):
    ...         return acc + amount
    ...     def combine(self, acc1, acc2):
    ...         return acc1 + acc2
    ...     def output(self, key, acc):
    ...         return {"user": key, "total": acc}
    >>> wallaroo.range_windows(wallaroo.minutes(1)).over(Total).name()
    'Total'
    """

    def name(self) -> str:
        """Return the name of the stage, which is that of the class unless overridden."""
        return type(self).__name__


def is_aggregation_class(value: object) -> bool:
    """Return whether this is a class with the methods of an aggregation."""
    return isinstance(value, type) and all(hasattr(value, method) for method in _METHODS if method != "name")


def make_aggregation(windows: str, aggregation: Any) -> Any:
    """Make and check the aggregation that `.over(...)` was given."""
    made = check_factory(f"{windows}.over: the aggregation", aggregation)()
    for method, parameters in _METHODS.items():
        _check_method(f"{windows}.over({describe(aggregation)})", made, method, parameters)
    check_name(f"{windows}.over({describe(aggregation)}): name()", made.name())
    return made


def wants_window(aggregation: Any) -> bool:
    """Whether `output` gets the window: it cannot do without, or its third parameter has that name."""
    function = aggregation.output
    if not _takes(function, _OUTPUT_WITH_WINDOW):
        return False
    code = getattr(function, "__code__", None)
    third = _OUTPUT_WITH_WINDOW - (0 if inspect.ismethod(function) else 1)
    named = code is not None and code.co_varnames[: code.co_argcount][third : third + 1] == ("window",)
    return named or not _takes(function, _OUTPUT_WITH_WINDOW - 1)


def _check_method(where: str, made: Any, method: str, parameters: tuple[str, ...]) -> None:
    function = getattr(made, method, None)
    if not callable(function):
        raise WallarooParameterError(f"Aggregation must have method '{method}': {where} has none")
    if _takes(function, len(parameters)) or (method == "output" and wants_window(made)):
        return
    wanted = f"def {method}({', '.join(('self', *parameters))})"
    if method == "output":
        wanted += " or def output(self, key, acc, window)"
    raise WallarooParameterError(f"{where}: method '{method}' must be {wanted}")


def _takes(function: Any, arguments: int) -> bool:
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    most = code.co_argcount - (1 if inspect.ismethod(function) else 0)
    least = most - len(function.__defaults__ or ())
    return least <= arguments and (arguments <= most or bool(code.co_flags & inspect.CO_VARARGS))
