"""The beginning of a sub-topology: a record gets its event time, and moves the clock of its source.

What is composed here depends on what is needed; where nothing asks for event time, it is nothing at all.
"""

from collections.abc import Callable
from typing import Any

from wallaroo.errors import RecordError
from wallaroo.record import NANOSECONDS_PER_MS, Moment
from wallaroo.task.context import Emit, TimeContext
from wallaroo.task.record_batch import ExactRecord
from wallaroo.topology.model import Input
from wallaroo.windows.exact_time import stored_event_time
from wallaroo.windows.watermark import SourceClock

# Nearly a century and a half behind the epoch: clocks and windows have room for twice that.
_LATEST = 2**62

# (message, its record): nanoseconds since the Unix epoch.
EventTime = Callable[[Any, Any], int]


def with_event_time(read: Input, lane: TimeContext, emit: Emit) -> Emit:
    """Let `emit` take the records of an input, with as much about time as it needs."""
    on_its_way = not read.is_source and lane.reports is not None
    stamped = bool(lane.timers) or read.event_time is not None or on_its_way
    event_time = _of_internal if not read.is_source else _of_source(read)
    if lane.clock is None:
        return _stamping(event_time, emit) if stamped else emit
    moving = _stamping_and_moving if stamped else _moving
    return moving(lane.clock, lane.moved, event_time, emit)


def _stamping(event_time: EventTime, emit: Emit) -> Emit:
    def process(message: Any, key: bytes | None, record: Any) -> None:
        emit(message, key, Moment(event_time(message, record)))

    return process


def _moving(clock: SourceClock, moved: Callable[[int], None], event_time: EventTime, emit: Emit) -> Emit:
    def process(message: Any, key: bytes | None, record: Any) -> None:
        emit(message, key, record)
        at = event_time(message, record)
        if at > clock.watermark:
            moved(at)

    return process


def _stamping_and_moving(
    clock: SourceClock, moved: Callable[[int], None], event_time: EventTime, emit: Emit
) -> Emit:
    def process(message: Any, key: bytes | None, record: Any) -> None:
        at = event_time(message, record)
        emit(message, key, Moment(at))
        if at > clock.watermark:
            moved(at)

    return process


def _of_source(read: Input) -> EventTime:
    return _of_record if read.event_time is None else _declared(read.name, read.event_time)


def _of_internal(_message: Any, record: Any) -> int:
    return record.time if type(record) is ExactRecord else stored_event_time(record)


def _of_record(_message: Any, record: Any) -> int:
    at: int = record.timestamp()[1] * NANOSECONDS_PER_MS
    if 0 <= at < _LATEST:
        return at
    raise RecordError(
        f"the record's timestamp is {at // NANOSECONDS_PER_MS} ms, which is no time to count by"
    )


def _declared(source: str, function: Callable[[Any], Any]) -> EventTime:
    def event_time(message: Any, _record: Any) -> int:
        at = function(message)
        if type(at) is int and 0 <= at < _LATEST:
            return at
        raise RecordError(
            f"event_time of the source {source!r} returned {at!r}; return whole nanoseconds since the Unix "
            "epoch, as an int"
        )

    return event_time
