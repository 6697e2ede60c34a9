"""Event times through a repartition topic: a record there has whole milliseconds, a header the rest."""

from struct import Struct
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.record import NANOSECONDS_PER_MS, Moment, Origin

_HEADER = "event-time"
_nanoseconds = Struct(">q")


def event_time_of(origin: Origin) -> int:
    """Nanoseconds since the Unix epoch."""
    if type(origin) is Moment:
        return origin.event_time
    at: int = origin.timestamp()[1] * NANOSECONDS_PER_MS
    return at


def timestamp_and_headers(event_time: int) -> tuple[Any, ...]:
    """The end of an Output: milliseconds, and with them a header where they do not say it all.

    To the client library a timestamp of 0 means that there is none, and that it is to take the clock's.
    """
    ms, rest = divmod(event_time, NANOSECONDS_PER_MS)
    if rest or ms <= 0:
        return max(ms, 1), [(_HEADER, _nanoseconds.pack(event_time))]
    return (ms,)


def stored_event_time(record: Any) -> int:
    """The event time of a record of a repartition topic; StoredValueError where its headers are not ours."""
    headers = record.headers()
    if not headers:
        at: int = record.timestamp()[1] * NANOSECONDS_PER_MS
        return at
    for name, value in headers:
        if name == _HEADER and value is not None and len(value) == _nanoseconds.size:
            return int(_nanoseconds.unpack(value)[0])
    raise StoredValueError(
        f"the headers {headers!r} are no event time; only Wallaroo writes to internal topics, so either "
        "something else writes to this one, or this is a bug: report it"
    )
