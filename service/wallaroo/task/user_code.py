"""User code by its stage, so that the stack of a thread says in which stage it is, and at which line."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import CodeType, FrameType
from typing import Any

from wallaroo.topology.model import SubTopology, Target
from wallaroo.topology.steps import Step, Window

_FUNCTIONS = ("function", "extract", "encode")
_OURS = "wallaroo."

StagesByCode = Mapping[CodeType, str]


def stages_by_code(sub: SubTopology) -> StagesByCode:
    """The code of every function of the application in a sub-topology, each with the name of its stage."""
    found: dict[CodeType, dict[str, None]] = {}
    for stage, function in _functions(sub):
        for code in _codes(function):
            found.setdefault(code, {})[stage] = None
    return {code: " or ".join(names) for code, names in found.items()}


def place_in(frame: FrameType | None, stages: StagesByCode) -> tuple[str, str]:
    """(stage, where in its code) of a stack, by its innermost frame; empty if no user code is in it."""
    while frame is not None:
        code = frame.f_code
        if code in stages:
            return stages[code], f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        frame = frame.f_back
    return "", ""


def _functions(sub: SubTopology) -> Iterator[tuple[str, Any]]:
    for read in sub.inputs:
        yield read.name, read.decode
        yield read.name, read.event_time
    declared: Iterable[Step | Target] = (*sub.steps, *sub.targets)
    for each in declared:
        for name in _FUNCTIONS:
            yield each.name, getattr(each, name, None)
        if isinstance(each, Window):
            for method in _methods(type(each.declared.aggregation)):
                yield each.name, method


def _methods(kind: type) -> Iterator[Any]:
    for each in kind.__mro__:
        if not each.__module__.startswith(_OURS):
            yield from (value for value in vars(each).values() if callable(value))


def _codes(function: Any) -> Iterator[CodeType]:
    """The code of a function, of what it wraps, and of what makes an object callable."""
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None and callable(function):
        code = getattr(function.__call__, "__code__", None)
    if code is not None:
        yield code
    if (wrapped := getattr(function, "__wrapped__", None)) is not None:
        yield from _codes(wrapped)
