"""Event time: how a record gets it, how it moves the clock of a source, and how it crosses a topic.

Only what is needed is put in front of a sub-topology: nothing if nothing asks for event time. A record of a
repartition topic has whole milliseconds in its timestamp, and a header for the rest. A record of a source
without a usable event time is refused before anything is done with it.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any

from wallaroo.errors import ForeignRecordError, RecordError, StoredValueError
from wallaroo.record import (
    ARRIVAL_HEADER,
    NANOSECONDS_PER_MS,
    ORIGIN_HEADER,
    EarlyMoment,
    Emit,
    Moment,
    Origin,
)
from wallaroo.topology.model import Input
from wallaroo.windows.future import END_OF_TIME, FutureBound
from wallaroo.windows.stage import Refuse, TimeContext
from wallaroo.windows.watermark import SourceClock

_HEADER = "event-time"
_nanoseconds = Struct(">q")

# (message, its record): nanoseconds since the Unix epoch.
ReadEventTime = Callable[[Any, Any], int]


def with_event_time(read: Input, time: TimeContext, internal: ReadEventTime, emit: Emit) -> Emit:
    """Put in front of `emit` what the records of an input need of event time.

    `internal` returns the event time of a record of a repartition topic.
    """
    event_time = internal
    if read.is_source:
        own = read.event_time
        event_time = _of_record(time.future) if own is None else _declared(read.name, own, time.future)
    leads_on = not read.is_source and time.reports is not None
    stamped = bool(time.timers or time.expiries) or read.event_time is not None or leads_on
    if time.clock is None:
        return _stamp(event_time, time.refuse, emit) if stamped else emit
    compose = _stamp_and_advance if stamped else _advance
    return compose(time, time.clock, event_time, emit)


def _stamp(event_time: ReadEventTime, refuse: Refuse, emit: Emit) -> Emit:
    def stamp_event_time(message: Any, key: bytes | None, record: Any) -> None:
        try:
            at = event_time(message, record)
        except RecordError as error:
            refuse(record, error)
            return
        emit(message, key, Moment(at, record))

    return stamp_event_time


def _advance(time: TimeContext, clock: SourceClock, event_time: ReadEventTime, emit: Emit) -> Emit:
    advance, refuse = time.advance, time.refuse

    def advance_clock(message: Any, key: bytes | None, record: Any) -> None:
        try:
            at = event_time(message, record)
        except RecordError as error:
            refuse(record, error)
            return
        emit(message, key, record)
        if at > clock.watermark:
            advance(at)

    return advance_clock


def _stamp_and_advance(time: TimeContext, clock: SourceClock, event_time: ReadEventTime, emit: Emit) -> Emit:
    advance, refuse = time.advance, time.refuse

    def stamp_and_advance_clock(message: Any, key: bytes | None, record: Any) -> None:
        try:
            at = event_time(message, record)
        except RecordError as error:
            refuse(record, error)
            return
        emit(message, key, Moment(at, record))
        if at > clock.watermark:
            advance(at)

    return stamp_and_advance_clock


def _of_record(future: FutureBound) -> ReadEventTime:
    def event_time_of_record(_message: Any, record: Any) -> int:
        at: int = record.timestamp()[1] * NANOSECONDS_PER_MS
        if 0 <= at <= future.latest:
            return at
        if 0 <= at < END_OF_TIME:
            raise future.refusal("the record's timestamp", at)
        raise RecordError(
            f"the record's timestamp is {at // NANOSECONDS_PER_MS} ms, which is no time to count by"
        )

    return event_time_of_record


def _declared(source: str, function: Callable[[Any], Any], future: FutureBound) -> ReadEventTime:
    def declared_event_time(message: Any, _record: Any) -> int:
        at = function(message)
        if type(at) is int and 0 <= at <= future.latest:
            return at
        if type(at) is int and 0 <= at < END_OF_TIME:
            raise future.refusal(f"what event_time of the source {source!r} returned, {at},", at)
        raise RecordError(
            f"event_time of the source {source!r} returned {at!r}; return whole nanoseconds since the Unix "
            "epoch, as an int"
        )

    return declared_event_time


def event_time_of(origin: Origin) -> int:
    """The event time of a result, in nanoseconds since the Unix epoch."""
    if type(origin) is Moment or type(origin) is EarlyMoment:
        return origin.event_time
    at: int = origin.timestamp()[1] * NANOSECONDS_PER_MS
    return at


def timestamp_and_headers(event_time: int) -> tuple[Any, ...]:
    """The end of an Output: milliseconds, and a header if these are not exact.

    To the client library a timestamp of 0 means that there is none, and that it is to take the clock's.
    """
    ms, rest = divmod(event_time, NANOSECONDS_PER_MS)
    if rest or ms <= 0:
        return max(ms, 1), [(_HEADER, _nanoseconds.pack(event_time))]
    return (ms,)


def stored_event_time(record: Any) -> int:
    """The event time of a record of a repartition topic.

    Raises StoredValueError if it is damaged, ForeignRecordError if the headers are not ours.
    """
    headers = record.headers()
    if not headers:
        at: int = record.timestamp()[1] * NANOSECONDS_PER_MS
        return at
    for name, value in headers:
        if name == _HEADER:
            if value is None or len(value) != _nanoseconds.size:
                raise StoredValueError(f"the header {_HEADER} holds no event time: {value!r}")
            return int(_nanoseconds.unpack(value)[0])
    if any(name in (ORIGIN_HEADER, ARRIVAL_HEADER) for name, _ in headers):
        whole: int = record.timestamp()[1] * NANOSECONDS_PER_MS
        return whole
    raise ForeignRecordError(
        f"the headers {headers!r} are no event time: something else than this application has written the "
        "record to this topic; records to be processed again belong into the source that they came from"
    )
