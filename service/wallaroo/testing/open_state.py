"""What a stage holds for a key, as a test would compare it."""

from typing import Any

from wallaroo.state.factory import grid_of
from wallaroo.topology.model import CountWindow, RangeWindow, Stateful
from wallaroo.windows.contents import Contents
from wallaroo.windows.count import Counted
from wallaroo.windows.grid import Grid


def held(step: Stateful, state: Any) -> Any:
    """The user's own state; for windows what is open, without the bookkeeping around it."""
    match step:
        case RangeWindow():
            return _open_windows(step, state)
        case CountWindow():
            return _open_count(state)
    return state


def _open_windows(step: RangeWindow, contents: Contents) -> dict[int, Any] | None:
    grid = grid_of(step)
    windows = _windows(contents, grid)
    return {w * grid.slide: contents.fold(w, grid, step.aggregation) for w in windows} or None


def _windows(contents: Contents, grid: Grid) -> list[int]:
    """Those that hold something and are not past due."""
    if contents.window is None:
        return []
    covering = [range(grid.oldest_window(pane), grid.newest_window(pane) + 1) for pane in contents.panes]
    found = {window for windows in covering for window in windows} | contents.extras.keys()
    return sorted(window for window in found if window >= contents.window)


def _open_count(counted: Counted) -> tuple[int, Any] | None:
    return (counted.count, counted.accumulator) if counted.count else None
