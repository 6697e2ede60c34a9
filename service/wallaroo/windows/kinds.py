"""The kinds of windows: every module of this package that defines KIND is one."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from wallaroo import windows
from wallaroo.topology.steps import Stateful, Window
from wallaroo.windows.stage import WindowKind
from wallaroo.windows.timers import DueTimes


@cache
def kinds() -> Mapping[type, WindowKind]:
    """All kinds, by the class of the windows that a user declares."""
    names = [f"{windows.__name__}.{module.name}" for module in iter_modules(windows.__path__)]
    modules = [import_module(name) for name in names]
    found = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.declared: kind for kind in found}


def kind_of(step: Window) -> WindowKind:
    return kinds()[type(step.declared)]


def due_times_of(step: Window) -> DueTimes:
    """When the windows of a step are due; TypeError if their kind has nothing to do with event time."""
    due_times = kind_of(step).due_times
    if due_times is None:
        raise TypeError(f"no event time makes {type(step.declared).__name__} due")
    return due_times(step)


def open_state(step: Stateful, state: Any) -> Any:
    """What a stage holds for a key, as a test would compare it: the user's own state, or what is open."""
    return kind_of(step).open_state(step, state) if isinstance(step, Window) else state
