"""The kinds of windows: a new one is a step in `topology/steps.py`, a file beside this, and a line here."""

from typing import Any

from wallaroo.topology.steps import Stateful, TimedWindow, Window
from wallaroo.windows.count import COUNT
from wallaroo.windows.range import RANGE
from wallaroo.windows.stage import WindowKind
from wallaroo.windows.timers import DueTimes

KINDS: list[WindowKind[Any]] = [RANGE, COUNT]
_BY_STEP: dict[type, WindowKind[Any]] = {kind.step: kind for kind in KINDS}


def kind_of(step: Window) -> WindowKind[Any]:
    return _BY_STEP[type(step)]


def due_times_of(step: TimedWindow) -> DueTimes:
    """When the windows of a step are due; TypeError if their kind has nothing to do with event time."""
    due_times = kind_of(step).due_times
    if due_times is None:
        raise TypeError(f"no event time makes a {type(step).__name__} due")
    return due_times(step)


def open_state(step: Stateful, state: Any) -> Any:
    """What a stage holds for a key, as a test would compare it: the user's own state, or what is open."""
    return kind_of(step).open_state(step, state) if isinstance(step, Window) else state
