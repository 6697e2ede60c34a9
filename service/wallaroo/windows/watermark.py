"""Watermarks: how far event time has come, as one task knows it. Pure: time is passed in.

Rules for whoever edits this file:
1. A watermark never goes back, except at a restore, from beyond what may be ahead of the wall clock.
2. The wall clock moves a watermark only if nothing is left to read, by the answer to a question that was
   asked at that time. A backlog, a slow worker or a dead one closes no window.
3. An upstream that says nothing holds everything back. Only the upstream itself can say that it is idle.
4. An idle status holds for its position alone: who leaves an upstream out asks whether its input still ends
   there. So the status stays true over restarts, until a record is processed.

Event times and watermarks are nanoseconds since the Unix epoch, wall times milliseconds of any clock that
does not go back in one process; over a restart, they are compared as times of day.

    2T<idle><watermark><position><base><since>

is what is stored of a watermark, big-endian. 1T had neither position nor what follows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from struct import Struct
from typing import Protocol

from wallaroo.errors import StoredValueError
from wallaroo.record import NANOSECONDS_PER_MS, Place, Question
from wallaroo.serde.formats import WATERMARK, WATERMARK_1
from wallaroo.state.store import KeyedStore, StoreFormat

# Before all time: the watermark of a task that has seen no event.
NEVER = -(2**63)
# The position in a status of a task that is not idle, or was idle in a version that did not say where.
UNKNOWN = -1
# How long to wait after an answer that did not help, unless something else is heard before.
RETRY_MS = 1_000

_header = Struct(">2s?qqqq")
_header_1 = Struct(">2s?q")


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when a task has been without input, and its watermark then."""

    base: int
    since_ms: int

    def elapsed(self, now_ms: int) -> int:
        return (now_ms - self.since_ms) * NANOSECONDS_PER_MS

    def reaches(self, watermark: int, at_least: int = 0) -> int:
        """When the wall clock has moved the base to a watermark, but not before `at_least` has passed."""
        return self.since_ms - -max(watermark - self.base, at_least) // NANOSECONDS_PER_MS

    def resumed(self, now_ms: int) -> "Pause":
        """The pause after a restart, perhaps on a machine whose clock is behind."""
        return replace(self, since_ms=min(self.since_ms, now_ms))


@dataclass(frozen=True, slots=True)
class WatermarkStatus:
    """How far a task has come. One that is idle holds nobody back while its input ends at `position`.

    `pause` is stored of a task itself, and not reported.
    """

    watermark: int
    idle: bool
    position: int = UNKNOWN
    pause: Pause | None = None

    @property
    def rests_at(self) -> int | None:
        """Where an idle task had read its input to the end; None if it is not idle."""
        return self.position if self.idle else None


NO_WATERMARK = WatermarkStatus(NEVER, idle=False)


class WatermarkCodec:
    """Bytes of a watermark status."""

    def encode(self, status: WatermarkStatus) -> bytes:
        pause = status.pause or Pause(NEVER, UNKNOWN)
        return _header.pack(
            WATERMARK, status.idle, status.watermark, status.position, pause.base, pause.since_ms
        )

    def encode_all(self, values: Sequence[WatermarkStatus]) -> list[bytes]:
        return [self.encode(status) for status in values]

    def decode(self, data: bytes) -> WatermarkStatus:
        """The status; StoredValueError if the bytes are not what `encode` makes, today or in version 1."""
        header = {WATERMARK: _header, WATERMARK_1: _header_1}.get(data[:2])
        if header is None or len(data) != header.size or data[2] > 1:
            raise StoredValueError(f"a stored value is no watermark: {data[:80]!r}")
        _, idle, watermark, *rest = header.unpack(data)
        position, base, since_ms = rest or (UNKNOWN, NEVER, UNKNOWN)
        if position < UNKNOWN or since_ms < UNKNOWN or (since_ms == UNKNOWN and base != NEVER):
            raise StoredValueError(f"a stored watermark contradicts itself: {data!r}")
        pause = None if since_ms == UNKNOWN else Pause(base, since_ms)
        return WatermarkStatus(watermark, idle, position, pause)


WATERMARKS = StoreFormat(lambda: NO_WATERMARK, WatermarkCodec())


class OutputWatermark(Protocol):
    """How far the results of a task have come."""

    watermark: int


class SourceClock:
    """The watermark of a source partition: its newest event, or the wall clock's pace when it is idle.

    `leads_on` says that a repartition topic is told of it. The wait begins with the last record that was
    processed: if the partition still ends there, none has come since. After the horizon no window is open
    that a record has opened, so the wall clock moves the watermark no further than that, whatever it shows.
    Before the idle timeout it follows the wall clock too, but `slack` behind: a record that comes no more
    than that later than the one before it is not late.
    """

    def __init__(self, idle_timeout: int, horizon: int, *, leads_on: bool, slack: int | None = None) -> None:
        self._idle_timeout = idle_timeout
        self._slack = idle_timeout if slack is None else min(slack, idle_timeout)
        self._horizon = horizon
        self._leads_on = leads_on
        self.upstreams: Mapping[str, WatermarkStatus] = {}
        self.all_idle = True
        self.watermark = NEVER
        self.pause: Pause | None = None
        self._position: int | None = None
        self._eof: int | None = None
        self.restore(NO_WATERMARK, {}, 0)
        self._position = None

    def restore(self, own: WatermarkStatus, _upstreams: Mapping[str, WatermarkStatus], position: int) -> None:
        """Reset to the status committed at this offset."""
        self.watermark = own.watermark
        self.idle, self.rests_at = own.idle, own.position
        self._question: Question | None = None
        self._retry_ms = 0
        self._checked = False
        # If nothing is read again, the pause of this process is the more exact one.
        self._resumes = position != self._position
        if self._resumes:
            self._position, self.pause = position, own.pause

    def observe(self, now_ms: int, position: int, eof: int | None) -> None:
        """Take the time; `position` is the offset to read next, `eof` where the consumer last met the end."""
        if position != self._position:
            self._position, self.idle, self.pause, self._resumes = position, False, None, False
            self._question, self._retry_ms = None, 0
        if eof != self._eof:
            self._eof, self._retry_ms = eof, 0
        if self.pause is None:
            self.pause = Pause(self.watermark, now_ms)
        elif self._resumes:
            self.pause = self.pause.resumed(now_ms)
        self._resumes = False

    def due_ms(self, wanted: int | None) -> int | None:
        """When to ask next, None if time alone changes nothing; `wanted` is the next watermark to matter."""
        if self._leads_on and (self._is_stale if self.idle else self.watermark == NEVER):
            return self._retry_ms
        if self.pause is None or self.watermark == NEVER:
            return None
        goals = [] if wanted is None else [wanted]
        if self._leads_on and not self.idle:
            goals.append(self.pause.base + self._horizon)
        if not goals:
            return None
        wanted = min(goals)
        behind = self.pause.reaches(wanted + self._slack, self._slack)
        return max(self._retry_ms, min(behind, self.pause.reaches(wanted, self._idle_timeout)))

    def ask(self, now_ms: int) -> Question:
        self._question = Question(now_ms, self._position or 0, self.watermark, {}, of_input=True)
        return self._question

    def answer(self, question: Question, end: int | None, _ends: Mapping[Place, int | None]) -> None:
        """Follow the wall clock if the partition ended where it has been read to; None: nobody could say."""
        if question is not self._question:
            return
        self._question = None
        known = (self._position, self._eof, self.rests_at if self.idle else None)
        if end is None or end not in known or self.pause is None:
            self._retry_ms = question.asked_ms + RETRY_MS
            return
        elapsed = self.pause.elapsed(question.asked_ms)
        if self.watermark == NEVER:
            self.idle = True
        elif elapsed >= self._idle_timeout:
            self.watermark = max(self.watermark, self.pause.base + min(elapsed, self._horizon))
            self.idle = self.idle or elapsed >= self._horizon
        elif elapsed > self._slack:
            self.watermark = max(self.watermark, self.pause.base + elapsed - self._slack)
        self.rests_at = end if self.idle else UNKNOWN
        self._checked = True

    @property
    def _is_stale(self) -> bool:
        """Whether the partition may end elsewhere than an idle status says."""
        return not self._checked or (self._eof is not None and self._eof > self.rests_at)


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
