"""What a window stage does with a message whose every window is past due, by the policy that is declared."""

from collections.abc import Callable
from typing import Any

from wallaroo.record import Origin
from wallaroo.task.context import Emit, TaskContext
from wallaroo.topology.model import RangeWindow
from wallaroo.windows.aggregate import add, alone, key_text
from wallaroo.windows.contents import Contents
from wallaroo.windows.late import oldest_place

# (message, key, origin): deal with a late message.
Late = Callable[[Any, bytes, Origin], None]


def late_policy(step: RangeWindow, wiring: TaskContext, emit: Emit) -> Late:
    match str(step.late_data_policy):
        case "drop":
            return _drop(step, wiring)
        case "fire-per-message":
            return _fire_per_message(step, wiring, emit)
        case "place-in-oldest-window":
            return _place_in_oldest_window(step, wiring)
        case unknown:
            raise ValueError(f"{step.name!r} has the unknown late-data policy {unknown!r}")


def _drop(step: RangeWindow, wiring: TaskContext) -> Late:
    name, late, dropped = step.name, wiring.lane.late, wiring.lane.dropped

    def drop(_message: Any, _key: bytes, _origin: Origin) -> None:
        late[name] += 1
        dropped[name, "late"] += 1

    return drop


def _fire_per_message(step: RangeWindow, wiring: TaskContext, emit: Emit) -> Late:
    """An output of its own, at once: no window can be due by a message that is late."""
    name, late, aggregation = step.name, wiring.lane.late, step.aggregation

    def fire(message: Any, key: bytes, origin: Origin) -> None:
        late[name] += 1
        made = aggregation.output(key_text(key), alone(aggregation, message))
        if made is not None:
            emit(made, key, origin)

    return fire


def _place_in_oldest_window(step: RangeWindow, wiring: TaskContext) -> Late:
    name, late, aggregation = step.name, wiring.lane.late, step.aggregation
    timers = wiring.lane.timers[step.store.name]
    touch = wiring.access(wiring.stores[step.store.name]).touch

    def place(message: Any, key: bytes, _origin: Origin) -> None:
        late[name] += 1
        contents: Contents = touch(key)
        held, index, window = oldest_place(contents, timers.grid, timers.watermark)
        if contents.opens(window):
            timers.add(window, key)
        add(aggregation, held, index, message)

    return place
