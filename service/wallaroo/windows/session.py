"""Session windows: messages of a key that are at most a gap apart in event time. Times are nanoseconds.

    1Q<gap>{<first><last><early><size><accumulator>}

is what is stored of the sessions of a key, numbers big-endian: the gap, and of each open session, in order of
time, its first and last message, the message of its last early result, and the accumulator in the
application's own format. Reading never trusts the bytes: StoredValueError is all that a damaged or forged
value can cause.

Rules for whoever edits this file:
1. The sessions of a key are more than the gap apart. So the oldest is due first, and what comes between two
   joins one of them, both or none.
2. A session is due when the watermark has passed its last message, the gap and the delay: only then no
   message that is in order can join it.
3. A message that joins a session is not late, whatever its time: the session has not fired.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from struct import Struct
from typing import Any

from wallaroo.api.aggregation import Window as About
from wallaroo.api.windows import SessionWindows
from wallaroo.errors import StoredValueError
from wallaroo.record import EarlyMoment, Emit, Moment
from wallaroo.serde.formats import SESSIONS
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Aggregation, Result, result_of
from wallaroo.windows.early import is_early_due
from wallaroo.windows.late import HandleLate, late_policy
from wallaroo.windows.stage import TimeContext, WindowKind, WindowTrigger
from wallaroo.windows.timers import DueTimes, Timers
from wallaroo.windows.watermark import NEVER

_header, _entry = Struct(">2sQ"), Struct(">qqqI")
_by_first = attrgetter("first")


@dataclass(slots=True, eq=False)
class Session:
    """The event times of the first and last message, and of that of the last early result."""

    first: int
    last: int
    accumulator: Any = None
    early: int | None = None

    def add(self, message: Any, aggregation: Aggregation) -> None:
        replaced = aggregation.update(message, self.accumulator)
        if replaced is not None:
            self.accumulator = replaced


@dataclass(slots=True, eq=False)
class Sessions:
    """The open sessions of one key, in order."""

    open: list[Session] = field(default_factory=list)

    def join(self, event_time: int, gap: int, aggregation: Aggregation) -> Session | None:
        """The session that a message joins, which is one by then; None if it is too far from all."""
        after = bisect_right(self.open, event_time, key=_by_first)
        session = self.open[after - 1] if after else None
        if session is not None and event_time - session.last > gap:
            session = None
        if after < len(self.open) and self.open[after].first - event_time <= gap:
            later = self.open[after]
            if session is None:
                later.first = event_time
                return later
            session.accumulator = aggregation.combine(session.accumulator, later.accumulator)
            session.last = later.last
            session.early = max((at for at in (session.early, later.early) if at is not None), default=None)
            del self.open[after]
        elif session is not None:
            session.last = max(session.last, event_time)
        return session

    def begin(self, event_time: int, aggregation: Aggregation) -> Session:
        """A session of a message that joins none."""
        session = Session(event_time, event_time, aggregation.initial_accumulator())
        self.open.insert(bisect_right(self.open, event_time, key=_by_first), session)
        return session

    def at(self, event_time: int) -> Session | None:
        """The session that covers a moment."""
        index = bisect_right(self.open, event_time, key=_by_first) - 1
        if index < 0 or self.open[index].last < event_time:
            return None
        return self.open[index]


def is_empty(sessions: Sessions) -> bool:
    return not sessions.open


def session_reader(gap: int) -> Callable[[bytes], int | None]:
    """Returns a function that reads the last message of the oldest session off a stored value.

    It returns None if there is no session, and raises StoredValueError if the value is of no sessions, or of
    those of another gap.
    """

    def read_last(data: bytes) -> int | None:
        if data[:2] != SESSIONS or len(data) < _header.size:
            raise StoredValueError(f"a stored value does not hold sessions: {data[:80]!r}")
        if _header.unpack_from(data)[1] != gap:
            raise StoredValueError("stored sessions have another gap than that declared")
        if len(data) == _header.size:
            return None
        if len(data) < _header.size + _entry.size:
            raise StoredValueError(f"stored sessions end in the middle: {data[:80]!r}")
        last: int = _entry.unpack_from(data, _header.size)[1]
        return last

    return read_last


class SessionsCodec:
    """Bytes of the sessions of a key; `encode` and `decode` are for one accumulator."""

    def __init__(self, gap: int, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
        self._gap = gap
        self._encode = encode
        self._decode = decode
        self._check = session_reader(gap)

    def encode(self, sessions: Sessions) -> bytes:
        parts = [_header.pack(SESSIONS, self._gap)]
        for session in sessions.open:
            made = self._encode(session.accumulator)
            early = NEVER if session.early is None else session.early
            parts += (_entry.pack(session.first, session.last, early, len(made)), made)
        return b"".join(parts)

    def encode_all(self, values: Sequence[Sessions]) -> list[bytes]:
        return [self.encode(sessions) for sessions in values]

    def decode(self, data: bytes) -> Sessions:
        """The sessions; StoredValueError if the bytes are not what `encode` makes for this gap."""
        self._check(data)
        sessions, at = Sessions(), _header.size
        while at < len(data):
            begin = at + _entry.size
            if begin > len(data):
                raise StoredValueError(f"stored sessions end in the middle: {data[at:][:80]!r}")
            first, last, early, size = _entry.unpack_from(data, at)
            at = begin + size
            if at > len(data):
                raise StoredValueError(f"stored sessions cannot be read: {data[begin:][:80]!r}")
            accumulator = self._decode(data[begin:at])
            sessions.open.append(Session(first, last, accumulator, None if early == NEVER else early))
        if not self._is_sound(sessions.open):
            raise StoredValueError(f"stored sessions contradict themselves: {data[:80]!r}")
        return sessions

    def _is_sound(self, found: Sequence[Session]) -> bool:
        apart = all(later.first - session.last > self._gap for session, later in pairwise(found))
        return apart and all(session.first <= session.last for session in found)


def _store_format(step: Window, accumulators: Codec) -> StoreFormat:
    codec = SessionsCodec(step.declared.gap, accumulators.encode, accumulators.decode)
    return StoreFormat(Sessions, codec, is_empty)


def due_times(step: Window) -> DueTimes:
    """When the sessions of a step are due."""
    delay: int = step.declared.delay
    wait: int = step.declared.duration
    read_last = session_reader(step.declared.gap)

    def of_live(sessions: Sessions) -> int | None:
        return sessions.open[0].last + wait if sessions.open else None

    def of_stored(data: bytes) -> int:
        last = read_last(data)
        if last is None:
            raise StoredValueError(f"a stored value holds no session: {data!r}")
        return last + wait

    def has_missed(event_time: int, watermark: int) -> bool:
        """Whether a session whose last message is the gap before would have fired."""
        return event_time + delay < watermark

    return DueTimes(delay, of_live, of_stored, has_missed, moves=True)


def _compose(step: Window, access: Access, time: TimeContext, emit: Emit) -> Emit:
    find, touch = access
    aggregation, gap, wait = step.declared.aggregation, step.declared.gap, step.declared.duration
    timers = time.timers[step.store.name]
    result = result_of(step, lambda session, final: About(session.first, session.last + gap, final))
    place = _place_in_oldest(step, touch, timers)
    handle_late = late_policy(step, time, emit, lambda at: Session(at, at), result, place)
    time.triggers.append(_trigger(step, access, timers, result, emit))

    def add_to_session(message: Any, key: Any, origin: Any) -> None:
        event_time = origin.event_time
        sessions = find(key)
        if sessions is None:
            sessions = touch(key)
        if sessions.open:
            session = sessions.open[-1]
            last = session.last
            if session.first <= event_time <= last + gap:
                if event_time > last:
                    session.last = event_time
                session.add(message, aggregation)
                return
            joined = sessions.join(event_time, gap, aggregation)
            if joined is not None:
                joined.add(message, aggregation)
                return
        if event_time + wait <= timers.watermark:
            handle_late(message, key, origin)
            return
        session = sessions.begin(event_time, aggregation)
        if sessions.open[0] is session:
            timers.schedule(event_time + wait, key)
        session.add(message, aggregation)

    if step.declared.early is None:
        return add_to_session
    return _with_early_results(step, access, add_to_session, result, emit)


def _with_early_results(step: Window, access: Access, add: Emit, result: Result, emit: Emit) -> Emit:
    find, touch = access
    every = step.declared.early

    def add_and_emit_early(message: Any, key: Any, origin: Any) -> None:
        add(message, key, origin)
        sessions: Sessions = find(key) or touch(key)
        session = sessions.at(origin.event_time)
        # A late message is in none, whatever the policy.
        if session is None or not is_early_due(session.early, origin.event_time, every):
            return
        session.early = origin.event_time
        made = result(key, session.accumulator, session, False)
        if made is not None:
            emit(made, key, EarlyMoment(origin.event_time, origin.record))

    return add_and_emit_early


def _place_in_oldest(step: Window, touch: Callable[[bytes], Any], timers: Timers) -> HandleLate:
    """Into the oldest session of the key, which stays as long as it is.

    If it has none, the message begins one, as if it had come at the first moment that is not late.
    """
    aggregation, wait = step.declared.aggregation, step.declared.duration

    def place_in_oldest(message: Any, key: bytes, _origin: Any) -> None:
        sessions: Sessions = touch(key)
        if not sessions.open:
            sessions.begin(timers.watermark - wait + 1, aggregation)
            timers.schedule(timers.watermark + 1, key)
        sessions.open[0].add(message, aggregation)

    return place_in_oldest


def _trigger(step: Window, access: Access, timers: Timers, result: Result, emit: Emit) -> WindowTrigger:
    """The result of a session has the time up to which a message could have joined it."""
    touch, gap, wait = access.touch, step.declared.gap, step.declared.duration

    def close_oldest(sessions: Sessions, key: bytes) -> None:
        del sessions.open[0]
        if sessions.open:
            timers.schedule(sessions.open[0].last + wait, key)

    def fire_session(due: int, key: bytes) -> None:
        if not timers.is_due(due, key):
            return
        sessions: Sessions = touch(key)
        if not sessions.open:
            # What was stored could not be read, and has been put aside.
            return
        session = sessions.open[0]
        made = result(key, session.accumulator, session, True)
        close_oldest(sessions, key)
        if made is not None:
            emit(made, key, Moment(session.last + gap))

    def discard_session(due: int, key: bytes) -> None:
        if timers.due(key) == due:
            sessions: Sessions = touch(key)
            if sessions.open:
                close_oldest(sessions, key)

    return WindowTrigger(step.name, timers, fire_session, discard_session)


def _open_state(_step: Window, sessions: Sessions) -> dict[int, Any] | None:
    """Accumulators by the first message of their session."""
    return {session.first: session.accumulator for session in sessions.open} or None


KIND = WindowKind(SessionWindows, _store_format, _compose, _open_state, due_times)
