"""Range windows over event time: which panes and windows a moment belongs to, and when they are due.

Window k covers [k * slide, k * slide + range), counted from the Unix epoch; it is due `delay` after its
end, which is when it fires. A pane is the longest span that no window begins or ends inside of, so a
window is a whole number of panes and a message belongs to exactly one. All times are nanoseconds.
"""

from dataclasses import dataclass, field
from math import gcd


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `range` that begin every `slide`."""

    range: int
    slide: int
    delay: int
    pane: int = field(init=False)
    # Panes per window, and panes per slide.
    width: int = field(init=False)
    step: int = field(init=False)

    def __post_init__(self) -> None:
        pane = gcd(self.range, self.slide)
        object.__setattr__(self, "pane", pane)
        object.__setattr__(self, "width", self.range // pane)
        object.__setattr__(self, "step", self.slide // pane)

    def oldest_window(self, pane: int) -> int:
        """The first window that a pane belongs to."""
        return (pane - self.width + self.step) // self.step

    def newest_window(self, pane: int) -> int:
        """The last window that a pane belongs to."""
        return pane // self.step

    def first_pane(self, window: int) -> int:
        return window * self.step

    def end(self, window: int) -> int:
        """The first moment that a window no longer covers."""
        return window * self.slide + self.range

    def due(self, window: int) -> int:
        """The watermark at which a window fires."""
        return window * self.slide + self.range + self.delay

    def newest_past_due(self, watermark: int) -> int:
        """The last window that has fired, or would have."""
        return (watermark - self.range - self.delay) // self.slide

    def is_late(self, event_time: int, watermark: int) -> bool:
        """Whether every window that covers a moment is past due."""
        return self.due(event_time // self.slide) <= watermark

    def has_missed(self, event_time: int, watermark: int) -> bool:
        """Whether any window that covers a moment is past due."""
        return self.due(self.oldest_window(event_time // self.pane)) <= watermark
