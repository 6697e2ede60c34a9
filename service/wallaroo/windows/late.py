"""Late messages: those whose every window is past due when they come.

The policies are the original's, by their names: `drop`, `fire-per-message` (the message makes an output
of its own, at once) and `place-in-oldest-window`.
"""

from typing import Any, Literal

from wallaroo.windows.contents import Contents
from wallaroo.windows.grid import Grid

Policy = Literal["drop", "fire-per-message", "place-in-oldest-window"]


def oldest_place(contents: Contents, grid: Grid, watermark: int) -> tuple[dict[int, Any], int, int]:
    """Where `place-in-oldest-window` puts a message: among what, at which index, in which window.

    That is the key's oldest window that holds something, or else the oldest that is not past due.
    """
    first_open = grid.newest_past_due(watermark) + 1
    window = first_open if contents.window is None else contents.window
    if window == first_open:
        # No older window can see its first pane any more.
        return contents.panes, grid.first_pane(window), window
    return contents.extras, window, window
