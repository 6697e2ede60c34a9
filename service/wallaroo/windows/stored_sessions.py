"""Sessions as they are held and stored.

    1Q<gap>{<first><last><early><size><accumulator>}

is what a key holds, numbers big-endian: the gap, and of each open session, in order of time, its first and
last message, the message of its last early result, and the accumulator in the application's own format.
Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from struct import Struct
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.formats import SESSIONS
from wallaroo.windows.aggregate import Aggregation
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
