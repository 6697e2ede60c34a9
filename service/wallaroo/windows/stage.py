"""Window stages: a message goes into its pane, and a window that is due comes out.

Rules for whoever edits this file:
1. A message costs one `update`, however many windows overlap.
2. A message is placed, or found late, before its own time moves the watermark.
3. What comes of windows does not depend on which record, control record or tick of the clock made them due.
"""

from typing import Any

from wallaroo.record import Moment, Origin
from wallaroo.task.context import Emit, TaskContext
from wallaroo.topology.model import CountWindow, RangeWindow
from wallaroo.windows.aggregate import add, key_text
from wallaroo.windows.contents import Contents
from wallaroo.windows.lateness import late_policy
from wallaroo.windows.timers import WindowTrigger


def windows(step: RangeWindow | CountWindow, wiring: TaskContext, emit: Emit) -> Emit:
    """The stage; how range windows fire goes into the wiring's lane."""
    return _range(step, wiring, emit) if isinstance(step, RangeWindow) else _count(step, wiring, emit)


def _range(step: RangeWindow, wiring: TaskContext, emit: Emit) -> Emit:
    timers = wiring.lane.timers[step.store.name]
    find, touch = wiring.access(wiring.stores[step.store.name])
    aggregation, grid = step.aggregation, timers.grid
    deal_with_late = late_policy(step, wiring, emit)
    wiring.lane.firings.append(_firing(step, wiring, emit))

    def process(message: Any, key: Any, origin: Any) -> None:
        event_time = origin.event_time
        if event_time < timers.watermark and grid.is_late(event_time, timers.watermark):
            deal_with_late(message, key, origin)
            return
        contents = find(key)
        if contents is None:
            contents = touch(key)
        pane = event_time // grid.pane
        if pane not in contents.panes:
            window = max(grid.oldest_window(pane), grid.newest_past_due(timers.watermark) + 1)
            if contents.opens(window):
                timers.add(window, key)
        add(aggregation, contents.panes, pane, message)

    return process


def _firing(step: RangeWindow, wiring: TaskContext, emit: Emit) -> WindowTrigger:
    timers = wiring.lane.timers[step.store.name]
    touch = wiring.access(wiring.stores[step.store.name]).touch
    aggregation, grid = step.aggregation, timers.grid

    def close(contents: Contents, window: int, key: bytes) -> None:
        contents.close(window, grid)
        if contents.window is not None:
            timers.add(contents.window, key)

    def fire(due: int, key: bytes) -> None:
        if timers.due(key) != due:
            return
        contents = touch(key)
        window = contents.window
        made = aggregation.output(key_text(key), contents.fold(window, grid, aggregation))
        close(contents, window, key)
        if made is not None:
            emit(made, key, Moment(grid.end(window) - 1))

    def give_up(due: int, key: bytes) -> None:
        if timers.due(key) == due:
            contents = touch(key)
            close(contents, contents.window, key)

    return WindowTrigger(step.name, timers, fire, give_up)


def _count(step: CountWindow, wiring: TaskContext, emit: Emit) -> Emit:
    """Exactly every so many messages of a key, one output, at the time of the last message."""
    find, touch = wiring.access(wiring.stores[step.store.name])
    aggregation, size = step.aggregation, step.count

    def process(message: Any, key: Any, origin: Origin) -> None:
        counted = find(key)
        if counted is None:
            counted = touch(key)
        counted.add(message, aggregation)
        if counted.count < size:
            return
        made = aggregation.output(key_text(key), counted.accumulator)
        counted.clear()
        if made is not None:
            emit(made, key, origin)

    return process
