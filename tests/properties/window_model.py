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
    # How far apart early results are; results are then (begin, end, is final, values).
    early: int | None = None
    watermark: float = float("-inf")
    open: dict[tuple[int, str], list[Any]] = field(default_factory=dict)
    given: dict[tuple[int, str], int] = field(default_factory=dict)
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
        for at in [(k, message.key) for k in in_time]:
            if is_early(self.early, self.given.get(at), message.time):
                self.given[at] = message.time
                yield message._replace(value=self._result(at[0], self.open[at], final=False))
        if not in_time:
            self.late += 1
            yield from self._too_late(message)

    def _result(self, k, values, final=True):
        made = tuple(sorted(values))
        return made if self.early is None else (self.end(k) - self.range, self.end(k), final, made)

    def _too_late(self, message):
        if self.policy == FIRE:
            newest = max(k for k in self.near(message.time) if self.covers(k, message.time))
            yield message._replace(value=self._result(newest, [message.value]))
        if self.policy == PLACE:
            held = [k for k, key in self.open if key == message.key]
            oldest = min(held, default=None)
            if oldest is None:
                oldest = next(k for k in self.near(self.watermark) if not self.past_due(k))
            self.open.setdefault((oldest, message.key), []).append(message.value)

    def _fire(self):
        for k, key in sorted(self.open):
            if self.past_due(k):
                yield Message(key, self._result(k, self.open.pop((k, key))), self.end(k) - 1)

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
class SessionWindows:
    """One stage; its results are tuples of all values of a session, sorted. A session is a list."""

    gap: int
    delay: int = 0
    policy: str = DROP
    early: int | None = None
    watermark: float = float("-inf")
    # By the value of a message that is in the session.
    given: dict[Any, int] = field(default_factory=dict)
    open: dict[str, list[list[Message]]] = field(default_factory=dict)
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
        sessions = self.open.setdefault(message.key, [])
        near = [s for s in sessions if any(abs(other.time - message.time) <= self.gap for other in s)]
        if near or not self.past_due(message.time):
            sessions[:] = [s for s in sessions if s not in near]
            sessions.append([*(each for s in near for each in s), message])
            yield from self._early(sessions[-1], message)
        else:
            self.late += 1
            yield from self._too_late(message, sessions)

    def _early(self, session, message):
        given = max((self.given[m.value] for m in session if m.value in self.given), default=None)
        if is_early(self.early, given, message.time):
            self.given[message.value] = message.time
            yield message._replace(value=self._result(session, final=False))

    def _result(self, session, final=True):
        made = tuple(sorted(m.value for m in session))
        last = max(m.time for m in session)
        return made if self.early is None else (begin(session), last + self.gap, final, made)

    def _too_late(self, message, sessions):
        if self.policy == FIRE:
            yield message._replace(value=self._result([message]))
        if self.policy == PLACE:
            oldest = min(sessions, key=begin, default=[])
            time = begin(oldest) if oldest else self.watermark - self.gap - self.delay
            oldest.append(message._replace(time=time))
            if len(oldest) == 1:
                sessions.append(oldest)

    def _fire(self):
        for key, sessions in self.open.items():
            for session in sorted(sessions, key=begin):
                last = max(message.time for message in session)
                if self.past_due(last):
                    sessions.remove(session)
                    yield Message(key, self._result(session), last + self.gap)

    def past_due(self, time):
        return time + self.gap + self.delay < self.watermark


def is_early(every, given, time):
    """Whether a message gives an early result; the last was given by one at that time."""
    return every is not None and (every == 0 or given is None or time - given >= every)


def begin(session):
    return min(message.time for message in session)


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
