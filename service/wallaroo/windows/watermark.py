"""Watermarks: how far event time has come, as one task knows it. Pure, time is passed in.

Rules for whoever edits this file:
1. A watermark never goes back.
2. The wall clock moves a watermark only where nothing is left to read. A backlog, a slow worker and a dead
   one close no window.
3. An upstream that says nothing holds everything back. Only itself can say that it does not count.

Event times and watermarks are nanoseconds since the Unix epoch, wall times milliseconds of any clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Before all time: of a task that has seen no event.
NEVER = -(2**63)
_NANOSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """How far somebody has come; one that is idle does not count."""

    watermark: int
    idle: bool


NO_MARK = Mark(NEVER, idle=False)


class SourceClock:
    """The watermark of a source partition: its newest event, or the wall clock's pace when it is idle."""

    def __init__(self, idle_timeout: int, horizon: int) -> None:
        self._idle_timeout = idle_timeout
        self._horizon = horizon
        self.marks: Mapping[str, Mark] = {}
        self.watermark = self._base = NEVER
        self.idle = False
        self._position: int | None = None
        self._idle_at: int | None = None
        self._since_ms: int | None = None

    def restore(self, own: Mark, _marks: Mapping[str, Mark], position: int) -> None:
        """Be as when this mark and this offset were committed. Only who has looked may call it idle."""
        self.watermark = own.watermark
        self.idle = False
        self._idle_at = position if own.idle else None
        # Where nothing is read again, the time that has passed has passed.
        if position != self._position:
            self._base = own.watermark
            self._position = position
            self._since_ms = None

    def look(self, now_ms: int, position: int, *, caught_up: bool) -> None:
        """Note that `position` is the offset to read next, and whether there is nothing there to read."""
        if not caught_up:
            self._since_ms, self.idle = None, False
        elif self._since_ms is None or position != self._position:
            self._since_ms, self._base, self.idle = now_ms, self.watermark, False
        elif self.watermark != NEVER:
            self._follow((now_ms - self._since_ms) * _NANOSECONDS)
        if caught_up and (self.watermark == NEVER or position == self._idle_at):
            self.idle = True
        self._idle_at = position if self.idle else self._idle_at
        self._position = position

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock may move the watermark with the next look."""
        return self._since_ms is not None

    def wake(self) -> None:
        """Records have come: what is reported from now on counts."""
        self.idle = False

    def _follow(self, elapsed: int) -> None:
        if elapsed >= self._idle_timeout:
            self.watermark = max(self.watermark, self._base + elapsed)
            self.idle = elapsed >= self._horizon


class UpstreamClock:
    """The watermark of a task behind a repartition topic: the least of the upstream tasks that count.

    An upstream is called `<sub-topology>/<partition>`.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._expected = frozenset(expected)
        self._names = {_sub_topology(upstream) for upstream in self._expected}
        self.restore(NO_MARK, {}, 0)

    def restore(self, own: Mark, marks: Mapping[str, Mark], _position: int) -> None:
        """Be as when these were committed: the task's own mark, and those of its upstreams."""
        self.watermark = self._base = own.watermark
        self.idle = False
        # A sub-topology that has another name by now will never be heard again.
        self.marks = {name: mark for name, mark in marks.items() if self._knows(name)}
        self._unheard = set(self._expected - self.marks.keys())
        self._since_ms: int | None = None

    def hear(self, upstream: str, mark: Mark) -> None:
        """An upstream says how far it has come; who is not an upstream any more is not listened to."""
        if not self._knows(upstream):
            return
        before = self.marks.get(upstream)
        furthest = mark.watermark if before is None else max(mark.watermark, before.watermark)
        self.marks[upstream] = Mark(furthest, mark.idle)
        self._unheard.discard(upstream)
        self._since_ms = None
        self.idle = self.idle and mark.idle
        counting = [mark.watermark for mark in self.marks.values() if not mark.idle]
        if counting and not self._unheard:
            self.watermark = max(self.watermark, min(counting))

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock may move the watermark with the next look."""
        return not self._unheard and all(mark.idle for mark in self.marks.values())

    def wake(self) -> None:
        """Records have come: what is reported from now on counts."""
        self.idle = False

    def look(self, now_ms: int, _position: int, *, caught_up: bool) -> None:
        """Once all upstreams are idle, and nothing is left to read, the wall clock goes on."""
        self.idle = caught_up and self.awaits_end
        if not self.idle:
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = now_ms
            furthest = max(mark.watermark for mark in self.marks.values())
            self.watermark = self._base = max(self.watermark, furthest)
        elif self._base != NEVER:
            self.watermark = self._base + (now_ms - self._since_ms) * _NANOSECONDS

    def _knows(self, upstream: str) -> bool:
        return _sub_topology(upstream) in self._names


def _sub_topology(upstream: str) -> str:
    return upstream.rpartition("/")[0]
