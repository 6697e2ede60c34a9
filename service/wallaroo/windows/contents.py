"""What the open range windows of one key hold, and what becomes of it when one of them fires.

Rules for whoever edits this file:
1. A message is in one pane, however many windows overlap there; a window combines its panes when it fires.
2. `window` is the oldest window that holds anything and is not past due. Everything that fires, fires in
   order of its end, so there is no need to remember what has fired.
3. A pane goes when the last of its windows has fired.
"""

from dataclasses import dataclass, field
from typing import Any

from wallaroo.windows.aggregate import Aggregation
from wallaroo.windows.grid import Grid


@dataclass(slots=True, eq=False)
class Contents:
    """Accumulators by pane, and beside them what belongs to one window alone, by window."""

    panes: dict[int, Any] = field(default_factory=dict)
    extras: dict[int, Any] = field(default_factory=dict)
    window: int | None = None

    def opens(self, window: int) -> bool:
        """Note that a window holds something; True where it is now the next to fire."""
        if self.window is not None and self.window <= window:
            return False
        self.window = window
        return True

    def fold(self, window: int, grid: Grid, aggregation: Aggregation) -> Any:
        """All that a window holds, as one accumulator: what came late first, then its panes in order."""
        combined = aggregation.initial_accumulator()
        if window in self.extras:
            combined = aggregation.combine(combined, self.extras[window])
        first = grid.first_pane(window)
        for pane in sorted(self.panes):
            if first <= pane < first + grid.width:
                combined = aggregation.combine(combined, self.panes[pane])
        return combined

    def close(self, window: int, grid: Grid) -> None:
        """Forget what only this window and those before it needed."""
        self.extras.pop(window, None)
        for pane in [pane for pane in self.panes if grid.newest_window(pane) <= window]:
            del self.panes[pane]
        self.window = self._next(window + 1, grid)

    def is_sound(self, grid: Grid) -> bool:
        """Whether `window` is one that holds something, and there is nothing older."""
        if self.window is None:
            return not (self.panes or self.extras)
        oldest = min(map(grid.newest_window, self.panes), default=self.window)
        return oldest >= self.window == self._next(self.window, grid)

    def _next(self, first_open: int, grid: Grid) -> int | None:
        holding = list(self.extras)
        if self.panes:
            holding.append(max(first_open, grid.oldest_window(min(self.panes))))
        return min(holding, default=None)


def is_empty(contents: Contents) -> bool:
    return contents.window is None
