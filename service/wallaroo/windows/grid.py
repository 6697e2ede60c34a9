"""Range windows over event time: which panes and windows a moment belongs to, and what a key holds in them.

Window k covers [k * slide + offset, k * slide + offset + range), counted from the Unix epoch; it is due
`delay` after its end, which is when it fires. A pane is the longest span that no window begins or ends inside
of, so a window is a whole number of panes and a message belongs to exactly one. All times are nanoseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from wallaroo.api.windows import RangeWindows
from wallaroo.windows.aggregate import Aggregation


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `range` that begin every `slide`, shifted by `offset`, which is in [0, slide)."""

    range: int
    slide: int
    delay: int
    offset: int = 0
    pane: int = field(init=False)
    # Panes per window, and panes per slide.
    width: int = field(init=False)
    step: int = field(init=False)

    def __post_init__(self) -> None:
        pane = gcd(self.range, self.slide)
        object.__setattr__(self, "pane", pane)
        object.__setattr__(self, "width", self.range // pane)
        object.__setattr__(self, "step", self.slide // pane)

    def pane_of(self, event_time: int) -> int:
        """The pane that a moment belongs to."""
        return (event_time - self.offset) // self.pane

    def oldest_window(self, pane: int) -> int:
        """The first window that a pane belongs to."""
        return (pane - self.width + self.step) // self.step

    def newest_window(self, pane: int) -> int:
        """The last window that a pane belongs to."""
        return pane // self.step

    def newest_of(self, event_time: int) -> int:
        """The last window that covers a moment."""
        return (event_time - self.offset) // self.slide

    def first_pane(self, window: int) -> int:
        return window * self.step

    def begin(self, window: int) -> int:
        """The first moment that a window covers."""
        return window * self.slide + self.offset

    def end(self, window: int) -> int:
        """The first moment that a window no longer covers."""
        return window * self.slide + self.offset + self.range

    def due(self, window: int) -> int:
        """The watermark at which a window fires."""
        return window * self.slide + self.offset + self.range + self.delay

    def newest_past_due(self, watermark: int) -> int:
        """The last window that has fired, or would have."""
        return (watermark - self.offset - self.range - self.delay) // self.slide

    def is_late(self, event_time: int, watermark: int) -> bool:
        """Whether every window that covers a moment is past due."""
        return self.due(self.newest_of(event_time)) <= watermark

    def has_missed(self, event_time: int, watermark: int) -> bool:
        """Whether any window that covers a moment is past due."""
        return self.due(self.oldest_window(self.pane_of(event_time))) <= watermark


def grid_of(windows: RangeWindows) -> Grid:
    return Grid(windows.range, windows.slide, windows.delay, windows.offset % windows.slide)


@dataclass(slots=True, eq=False)
class Contents:
    """What the open windows of one key hold: accumulators by pane, and `extras`, by window.

    A message is in one pane, however many windows overlap there; a window combines its panes when it fires.
    An extra belongs to one window alone. `window` is the oldest window that holds anything and is not past
    due. Windows fire in order of their ends, so nothing has to remember which have fired.
    """

    panes: dict[int, Any] = field(default_factory=dict)
    extras: dict[int, Any] = field(default_factory=dict)
    window: int | None = None

    def opens(self, window: int) -> bool:
        """Note that a window holds something; True if it is now the next to fire."""
        if self.window is not None and self.window <= window:
            return False
        self.window = window
        return True

    def fold(self, window: int, grid: Grid, aggregation: Aggregation) -> Any:
        """Everything a window holds, as one accumulator: its extra first, then its panes in order."""
        combined = aggregation.initial_accumulator()
        if window in self.extras:
            combined = aggregation.combine(combined, self.extras[window])
        first = grid.first_pane(window)
        for pane in sorted(self.panes):
            if first <= pane < first + grid.width:
                combined = aggregation.combine(combined, self.panes[pane])
        return combined

    def close(self, window: int, grid: Grid) -> None:
        """Forget what only this window and older ones needed; a pane goes with the last of its windows."""
        self.extras.pop(window, None)
        for pane in [pane for pane in self.panes if grid.newest_window(pane) <= window]:
            del self.panes[pane]
        self.window = self._next(window + 1, grid)

    def is_sound(self, grid: Grid) -> bool:
        """Whether `window` holds something and nothing is older."""
        if self.window is None:
            return not (self.panes or self.extras)
        oldest = min(map(grid.newest_window, self.panes), default=self.window)
        return oldest >= self.window == self._next(self.window, grid)

    def open_windows(self, grid: Grid) -> Iterator[int]:
        """Every window that holds something and is not past due, in order."""
        if self.window is None:
            return
        covering = [range(grid.oldest_window(pane), grid.newest_window(pane) + 1) for pane in self.panes]
        found = {window for windows in covering for window in windows} | self.extras.keys()
        yield from sorted(window for window in found if window >= self.window)

    def _next(self, first_open: int, grid: Grid) -> int | None:
        holding = list(self.extras)
        if self.panes:
            holding.append(max(first_open, grid.oldest_window(min(self.panes))))
        return min(holding, default=None)


def is_empty(contents: Contents) -> bool:
    return contents.window is None


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
