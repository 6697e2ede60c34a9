"""Range windows: a message goes into its pane, and a window that is due fires. Times are nanoseconds."""

from collections.abc import Callable
from functools import partial
from typing import Any

from wallaroo.api.windows import RangeWindows
from wallaroo.record import Emit, Moment
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import About, Result, add, result_of
from wallaroo.windows.early import EarlyCodec, EarlyContents, with_early_results
from wallaroo.windows.grid import Contents, Grid, grid_of, is_empty, oldest_place
from wallaroo.windows.late import HandleLate, late_policy
from wallaroo.windows.stage import TimeContext, WindowKind, WindowTrigger
from wallaroo.windows.stored_ranges import ContentsCodec, window_reader
from wallaroo.windows.timers import DueTimes, Timers


def _store_format(step: Window, accumulators: Codec) -> StoreFormat:
    codec = ContentsCodec(grid_of(step.declared), accumulators.encode, accumulators.decode)
    if step.declared.early is not None:
        return StoreFormat(EarlyContents, EarlyCodec(codec), is_empty)
    return StoreFormat(Contents, codec, is_empty)


def due_times(step: Window) -> DueTimes:
    """When the windows of a step are due."""
    grid = grid_of(step.declared)
    due, read_window = grid.due, window_reader(grid)

    def of_live(contents: Contents) -> int | None:
        return None if contents.window is None else due(contents.window)

    def of_stored(data: bytes) -> int:
        return due(read_window(data))

    return DueTimes(grid.delay, of_live, of_stored, grid.has_missed)


def _compose(step: Window, access: Access, time: TimeContext, emit: Emit) -> Emit:
    find, touch = access
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)
    timers, result = time.timers[step.store.name], result_of(step, partial(_about, grid))
    place = _place_in_oldest(step, touch, timers)
    handle_late = late_policy(step, time, emit, grid.newest_of, result, place)
    time.triggers.append(_trigger(step, access, timers, result, emit))

    def add_to_pane(message: Any, key: Any, origin: Any) -> None:
        event_time = origin.event_time
        if event_time < timers.watermark and grid.is_late(event_time, timers.watermark):
            handle_late(message, key, origin)
            return
        contents = find(key)
        if contents is None:
            contents = touch(key)
        pane = grid.pane_of(event_time)
        if pane not in contents.panes:
            window = max(grid.oldest_window(pane), grid.newest_past_due(timers.watermark) + 1)
            if contents.opens(window):
                timers.add(grid.due(window), key)
        add(aggregation, contents.panes, pane, message)

    if step.declared.early is None:
        return add_to_pane
    return with_early_results(step, access, timers, add_to_pane, result, emit)


def _about(grid: Grid, window: int, final: bool) -> About:
    return About(grid.begin(window), grid.end(window), final)


def _place_in_oldest(step: Window, touch: Callable[[bytes], Any], timers: Timers) -> HandleLate:
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)

    def place_in_oldest(message: Any, key: bytes, _origin: Any) -> None:
        contents: Contents = touch(key)
        accumulators, index, window = oldest_place(contents, grid, timers.watermark)
        if contents.opens(window):
            timers.add(grid.due(window), key)
        add(aggregation, accumulators, index, message)

    return place_in_oldest


def _trigger(step: Window, access: Access, timers: Timers, result: Result, emit: Emit) -> WindowTrigger:
    touch = access.touch
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)

    def close(contents: Contents, window: int, key: bytes) -> None:
        contents.close(window, grid)
        if contents.window is not None:
            timers.add(grid.due(contents.window), key)

    def fire_window(due: int, key: bytes) -> None:
        if timers.due(key) != due:
            return
        contents = touch(key)
        window = contents.window
        if window is None:
            # What was stored could not be read, and has been put aside.
            return
        made = result(key, contents.fold(window, grid, aggregation), window, True)
        close(contents, window, key)
        if made is not None:
            emit(made, key, Moment(grid.end(window) - 1))

    def discard_window(due: int, key: bytes) -> None:
        if timers.due(key) == due:
            contents = touch(key)
            if contents.window is not None:
                close(contents, contents.window, key)

    return WindowTrigger(step.name, timers, fire_window, discard_window)


def _open_state(step: Window, contents: Contents) -> dict[int, Any] | None:
    """Accumulators by the beginning of their window."""
    grid = grid_of(step.declared)
    windows = contents.open_windows(grid)
    return {grid.begin(w): contents.fold(w, grid, step.declared.aggregation) for w in windows} or None


KIND = WindowKind(RangeWindows, _store_format, _compose, _open_state, due_times)
