"""Late messages of range windows: those whose every window is past due when they arrive.

The policies are Wallaroo's: `drop`, `fire-per-message` (the message makes an output
of its own, at once) and `place-in-oldest-window`.
"""

from collections.abc import Callable
from typing import Any

from wallaroo.record import Emit, Origin
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import add, alone, key_text
from wallaroo.windows.grid import Contents, Grid, grid_of
from wallaroo.windows.stage import TimeContext

# (message, key, origin): deal with a late message.
HandleLate = Callable[[Any, bytes, Origin], None]
Touch = Callable[[bytes], Any]


def late_policy(step: Window, touch: Touch, time: TimeContext, emit: Emit) -> HandleLate:
    """The function for late messages that the policy of a step asks for."""
    match str(step.declared.late_data_policy):
        case "drop":
            return _drop(step, time)
        case "fire-per-message":
            return _fire_per_message(step, time, emit)
        case "place-in-oldest-window":
            return _place_in_oldest_window(step, touch, time)
        case unknown:
            raise ValueError(f"{step.name!r} has the unknown late-data policy {unknown!r}")


def _drop(step: Window, time: TimeContext) -> HandleLate:
    name, late, dropped = step.name, time.late, time.dropped

    def drop_late(_message: Any, _key: bytes, _origin: Origin) -> None:
        late[name] += 1
        dropped[name, "late"] += 1

    return drop_late


def _fire_per_message(step: Window, time: TimeContext, emit: Emit) -> HandleLate:
    """A late message cannot make a window due, so its output can go at once."""
    name, late, aggregation = step.name, time.late, step.declared.aggregation

    def fire_late(message: Any, key: bytes, origin: Origin) -> None:
        late[name] += 1
        made = aggregation.output(key_text(key), alone(aggregation, message))
        if made is not None:
            emit(made, key, origin)

    return fire_late


def _place_in_oldest_window(step: Window, touch: Touch, time: TimeContext) -> HandleLate:
    name, late, aggregation = step.name, time.late, step.declared.aggregation
    timers, grid = time.timers[step.store.name], grid_of(step.declared)

    def place_late(message: Any, key: bytes, _origin: Origin) -> None:
        late[name] += 1
        contents: Contents = touch(key)
        accumulators, index, window = oldest_place(contents, grid, timers.watermark)
        if contents.opens(window):
            timers.add(grid.due(window), key)
        add(aggregation, accumulators, index, message)

    return place_late


def oldest_place(contents: Contents, grid: Grid, watermark: int) -> tuple[dict[int, Any], int, int]:
    """Where `place-in-oldest-window` puts a message: (accumulators, index in them, window).

    That is the key's oldest window that holds something, or else the oldest that is not past due.
    """
    first_open = grid.newest_past_due(watermark) + 1
    window = first_open if contents.window is None else contents.window
    if window == first_open:
        # No older window includes its first pane any more.
        return contents.panes, grid.first_pane(window), window
    return contents.extras, window, window
