"""Late messages of windows over event time: those whose every window is past due when they arrive.

The policies are Wallaroo's: `drop`, `fire-per-message` (the message makes an output
of its own, at once) and `place-in-oldest-window`.
"""

from collections.abc import Callable
from typing import Any

from wallaroo.record import Emit, Origin
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Result, alone
from wallaroo.windows.stage import TimeContext

# (message, key, origin): deal with a late message.
HandleLate = Callable[[Any, bytes, Any], None]


def late_policy(
    step: Window,
    time: TimeContext,
    emit: Emit,
    window_of: Callable[[int], Any],
    result: Result,
    place: HandleLate,
) -> HandleLate:
    """The function for late messages that the policy of a step asks for.

    `window_of` returns the window that a message of this event time has for itself, of which `result` makes
    a result; `place` puts a message into the oldest window of its key.
    """
    match str(step.declared.late_data_policy):
        case "drop":
            return _drop(step, time)
        case "fire-per-message":
            return _fire_per_message(step, time, emit, window_of, result)
        case "place-in-oldest-window":
            return _place_in_oldest_window(step, time, place)
        case unknown:
            raise ValueError(f"{step.name!r} has the unknown late-data policy {unknown!r}")


def _drop(step: Window, time: TimeContext) -> HandleLate:
    name, late, dropped = step.name, time.late, time.dropped

    def drop_late(_message: Any, _key: bytes, _origin: Origin) -> None:
        late[name] += 1
        dropped[name, "late"] += 1

    return drop_late


def _fire_per_message(
    step: Window, time: TimeContext, emit: Emit, window_of: Callable[[int], Any], result: Result
) -> HandleLate:
    """A late message cannot make a window due, so its output can go at once."""
    name, late, aggregation = step.name, time.late, step.declared.aggregation

    def fire_late(message: Any, key: bytes, origin: Any) -> None:
        late[name] += 1
        made = result(key, alone(aggregation, message), window_of(origin.event_time), True)
        if made is not None:
            emit(made, key, origin)

    return fire_late


def _place_in_oldest_window(step: Window, time: TimeContext, place: HandleLate) -> HandleLate:
    name, late = step.name, time.late

    def place_late(message: Any, key: bytes, origin: Origin) -> None:
        late[name] += 1
        place(message, key, origin)

    return place_late
