"""Clocks: passed in everywhere, so that only this module and the edges read the time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Monotonic time and the time of day."""

    def monotonic(self) -> float:
        """Return seconds from any starting point, which never go back."""
        ...

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        ...


class SystemClock:
    """The clock of the machine."""

    monotonic = staticmethod(time.monotonic)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def utc(milliseconds: int) -> str:
    """A time since the Unix epoch as an operator reads it, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


class ManualClock:
    """A clock that stands still until it is moved: for drivers and tests."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, milliseconds: int) -> None:
        self._now_ms += milliseconds
