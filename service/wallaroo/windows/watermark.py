"""Watermarks: how far event time has come, as one task knows it. Pure: time is passed in.

Rules for whoever edits this file:
1. A watermark never goes back, except at a restore, from beyond what may be ahead of the wall clock.
2. The wall clock moves a watermark only if nothing is left to read. A backlog, a slow worker or a dead
   one closes no window.
3. An upstream that says nothing holds everything back. Only the upstream itself can say that it is idle.

Event times and watermarks are nanoseconds since the Unix epoch, wall times milliseconds of any clock.

    1T<idle><watermark>

is what is stored of a watermark, big-endian.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from wallaroo.errors import StoredValueError
from wallaroo.record import NANOSECONDS_PER_MS
from wallaroo.serde.formats import WATERMARK
from wallaroo.state.store import KeyedStore, StoreFormat

# Before all time: the watermark of a task that has seen no event.
NEVER = -(2**63)

_header = Struct(">2s?q")


@dataclass(frozen=True, slots=True)
class WatermarkStatus:
    """How far a task has come; one that is idle holds nobody back."""

    watermark: int
    idle: bool


NO_WATERMARK = WatermarkStatus(NEVER, idle=False)


class WatermarkCodec:
    """Bytes of a watermark status."""

    def encode(self, status: WatermarkStatus) -> bytes:
        return _header.pack(WATERMARK, status.idle, status.watermark)

    def encode_all(self, values: Sequence[WatermarkStatus]) -> list[bytes]:
        return [self.encode(status) for status in values]

    def decode(self, data: bytes) -> WatermarkStatus:
        """The status; StoredValueError if the bytes are not what `encode` makes."""
        if data[:2] != WATERMARK or len(data) != _header.size or data[2] > 1:
            raise StoredValueError(f"a stored value is no watermark: {data[:80]!r}")
        _, idle, watermark = _header.unpack(data)
        return WatermarkStatus(watermark, idle)


WATERMARKS = StoreFormat(lambda: NO_WATERMARK, WatermarkCodec())


class OutputWatermark(Protocol):
    """How far the results of a task have come."""

    watermark: int


class SourceClock:
    """The watermark of a source partition: its newest event, or the wall clock's pace when it is idle."""

    def __init__(self, idle_timeout: int, horizon: int) -> None:
        self._idle_timeout = idle_timeout
        self._horizon = horizon
        self.upstreams: Mapping[str, WatermarkStatus] = {}
        self.watermark = self._base = NEVER
        self.idle = False
        self._position: int | None = None
        self._idle_at: int | None = None
        self._since_ms: int | None = None

    def restore(self, own: WatermarkStatus, _upstreams: Mapping[str, WatermarkStatus], position: int) -> None:
        """Reset to the status committed at this offset; only the wall clock can make it idle again."""
        self.watermark = own.watermark
        self.idle = False
        self._idle_at = position if own.idle else None
        # If nothing is read again, the idle time so far still counts.
        if position != self._position:
            self._base = own.watermark
            self._position = position
            self._since_ms = None

    def advance_wall_clock(self, now_ms: int, position: int, *, caught_up: bool) -> None:
        """Take the time; `position` is the offset to read next, `caught_up`: there is nothing to read."""
        if not caught_up:
            self._since_ms, self.idle = None, False
        elif self._since_ms is None or position != self._position:
            self._since_ms, self._base, self.idle = now_ms, self.watermark, False
        elif self.watermark != NEVER:
            elapsed = (now_ms - self._since_ms) * NANOSECONDS_PER_MS
            if elapsed >= self._idle_timeout:
                self.watermark = max(self.watermark, self._base + elapsed)
                self.idle = elapsed >= self._horizon
        if caught_up and (self.watermark == NEVER or position == self._idle_at):
            self.idle = True
        self._idle_at = position if self.idle else self._idle_at
        self._position = position

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock may move the watermark next time."""
        return self._since_ms is not None


class UpstreamClock:
    """The watermark of a task behind a repartition topic: the lowest of the upstream tasks that are not idle.

    An upstream is called `<sub-topology>/<partition>`.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._expected = frozenset(expected)
        self._sub_topologies = {_sub_topology(upstream) for upstream in self._expected}
        self.restore(NO_WATERMARK, {}, 0)

    def restore(self, own: WatermarkStatus, upstreams: Mapping[str, WatermarkStatus], _position: int) -> None:
        """Reset to the committed statuses: the task's own, and those of its upstreams."""
        self.watermark = self._base = own.watermark
        self.idle = False
        # A sub-topology that was renamed sends nothing under its old name any more.
        self.upstreams = {name: status for name, status in upstreams.items() if self._knows(name)}
        self._silent = set(self._expected - self.upstreams.keys())
        self._since_ms: int | None = None

    def update(self, upstream: str, status: WatermarkStatus) -> None:
        """Take the report of an upstream; one of a task that is no upstream any more is ignored."""
        if not self._knows(upstream):
            return
        before = self.upstreams.get(upstream)
        furthest = status.watermark if before is None else max(status.watermark, before.watermark)
        self.upstreams[upstream] = WatermarkStatus(furthest, status.idle)
        self._silent.discard(upstream)
        self._since_ms = None
        self.idle = self.idle and status.idle
        active = [status.watermark for status in self.upstreams.values() if not status.idle]
        if active and not self._silent:
            self.watermark = max(self.watermark, min(active))

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock may move the watermark next time."""
        return not self._silent and all(status.idle for status in self.upstreams.values())

    def advance_wall_clock(self, now_ms: int, _position: int, *, caught_up: bool) -> None:
        """Follow the wall clock once all upstreams are idle and nothing is left to read."""
        self.idle = caught_up and self.awaits_end
        if not self.idle:
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = now_ms
            furthest = max(status.watermark for status in self.upstreams.values())
            self.watermark = self._base = max(self.watermark, furthest)
        elif self._base != NEVER:
            self.watermark = self._base + (now_ms - self._since_ms) * NANOSECONDS_PER_MS

    def _knows(self, upstream: str) -> bool:
        return _sub_topology(upstream) in self._sub_topologies


def _sub_topology(upstream: str) -> str:
    return upstream.rpartition("/")[0]


class WatermarkStore:
    """The watermarks that a task has stored: its own, and those of its upstreams."""

    def __init__(self, store: KeyedStore, own: str) -> None:
        self._store = store
        self.own_name = own
        self._known: dict[str, WatermarkStatus] = {}

    @property
    def own(self) -> WatermarkStatus:
        return self._known.get(self.own_name, NO_WATERMARK)

    @property
    def upstreams(self) -> Mapping[str, WatermarkStatus]:
        return {name: status for name, status in self._known.items() if name != self.own_name}

    def restore(self, set_back: Callable[[WatermarkStatus], WatermarkStatus]) -> dict[str, WatermarkStatus]:
        """Reset to what is committed, each status set back; returns the statuses that this changes."""
        stored = {key.decode(): self._store.peek(key) for key, _ in self._store.items()}
        self._known = {name: set_back(status) for name, status in stored.items()}
        changed = {name: status for name, status in stored.items() if status != self._known[name]}
        for name in changed:
            self._store.put(name.encode(), self._known[name])
        return changed

    def save(self, own: WatermarkStatus, upstreams: Mapping[str, WatermarkStatus]) -> None:
        """Put what has changed into the store."""
        for name, status in {**upstreams, self.own_name: own}.items():
            if self._known.get(name) != status:
                self._known[name] = status
                self._store.put(name.encode(), status)
