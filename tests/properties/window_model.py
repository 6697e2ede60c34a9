"""What windows must do, in the simplest words there are: every window is a list, and all are looked at.

A stream is a list of messages and watermarks. A source puts a watermark behind each of its messages: the
latest event time so far. Times are whole numbers of any unit; window k covers
[k*slide + offset, k*slide + offset + range).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

DROP, FIRE, PLACE = "drop", "fire-per-message", "place-in-oldest-window"


class Message(NamedTuple):
    key: str
    value: Any
    time: int


class Watermark(NamedTuple):
    time: float


END = Watermark(float("inf"))


def source(messages):
    """One partition of a source: whatever is there, in order."""
    latest = float("-inf")
    for message in messages:
        yield message
        latest = max(latest, message.time)
        yield Watermark(latest)


@dataclass
class RangeWindows:
    """One stage; its results are tuples of all values in a window, sorted."""

    range: int
    slide: int
    delay: int = 0
    policy: str = DROP
    offset: int = 0
    watermark: float = float("-inf")
    open: dict[tuple[int, str], list[Any]] = field(default_factory=dict)
    late: int = 0

    def __call__(self, stream):
        for item in stream:
            if isinstance(item, Message):
                yield from self._place(item)
            else:
                self.watermark = item.time
                yield from self._fire()
                yield Watermark(item.time - self.delay)

    def _place(self, message):
        covering = [k for k in self.near(message.time) if self.covers(k, message.time)]
        in_time = [k for k in covering if not self.past_due(k)]
        for k in in_time:
            self.open.setdefault((k, message.key), []).append(message.value)
        if not in_time:
            self.late += 1
            yield from self._too_late(message)

    def _too_late(self, message):
        if self.policy == FIRE:
            yield message._replace(value=(message.value,))
        if self.policy == PLACE:
            held = [k for k, key in self.open if key == message.key]
            oldest = min(held, default=None)
            if oldest is None:
                oldest = next(k for k in self.near(self.watermark) if not self.past_due(k))
            self.open.setdefault((oldest, message.key), []).append(message.value)

    def _fire(self):
        for k, key in sorted(self.open):
            if self.past_due(k):
                yield Message(key, tuple(sorted(self.open.pop((k, key)))), self.end(k) - 1)

    def near(self, time):
        """All windows that could have anything to do with a time, oldest first."""
        reach = (self.range + self.delay + abs(self.offset)) // self.slide + 2
        return range(int(time // self.slide) - reach, int(time // self.slide) + reach)

    def covers(self, k, time):
        return self.end(k) - self.range <= time < self.end(k)

    def end(self, k):
        return k * self.slide + self.offset + self.range

    def past_due(self, k):
        return self.end(k) + self.delay <= self.watermark


@dataclass
class CountWindows:
    """One stage; its results are tuples of so many values of a key, in order."""

    count: int
    held: dict[str, list[Any]] = field(default_factory=dict)

    def __call__(self, stream):
        for item in stream:
            if isinstance(item, Watermark):
                yield item
                continue
            values = self.held.setdefault(item.key, [])
            values.append(item.value)
            if len(values) == self.count:
                yield item._replace(value=tuple(self.held.pop(item.key)))


def results(stream):
    """The messages of a stream by key, in order, as (value, time)."""
    found: dict[str, list[tuple[Any, int]]] = {}
    for item in stream:
        if isinstance(item, Message):
            found.setdefault(item.key, []).append((item.value, item.time))
    return found
