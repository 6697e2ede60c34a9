"""Arrival: when records came to their source, whatever `event_time` says; latency is measured from there.

That is the timestamp of the source's record, which its producer or, with LogAppendTime, the broker has set. A
repartition topic is told of it by a header, in milliseconds, only where the time in it is another one. The
header is empty where results come from no record in hand, as those of windows that the clock has closed.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from wallaroo.record import ARRIVAL_HEADER, RawRecord
from wallaroo.windows.control import is_control

_UNKNOWN = b""
_LONGEST = 20


class Writer(Protocol):
    """Writes to a repartition topic, with the header if `arrival` is not None."""

    arrival: bytes | None


class Arrivals:
    """When the records of one task arrived.

    `is_event_time` says that the times of this task's results come from a function of the application.
    """

    def __init__(self, writers: Iterable[Writer], *, is_event_time: bool) -> None:
        self._writers = tuple(writers)
        self._is_event_time = is_event_time

    def take(self, records: Sequence[RawRecord], oldest_ms: int) -> int:
        """Let writers say when a slice arrived, by its first record; returns the older time of both.

        0 means that nobody knows.
        """
        first = next((each for each in records if not is_control(each.key(), each.value())), None)
        if first is None:
            return oldest_ms
        carried = carried_by(first)
        self._is_event_time = self._is_event_time or carried is not None
        arrived_ms = max(0, first.timestamp()[1]) if carried is None else _milliseconds(carried)
        self._say(b"%d" % arrived_ms if arrived_ms else _UNKNOWN)
        return min(oldest_ms or arrived_ms, arrived_ms or oldest_ms)

    def take_none(self) -> None:
        """What is written next comes from no record."""
        self._say(_UNKNOWN)

    def _say(self, arrival: bytes) -> None:
        if self._is_event_time:
            for writer in self._writers:
                writer.arrival = arrival


def carried_by(record: Any) -> bytes | None:
    """What the header of a record, or of the record batch that it was in, says; None if there is none."""
    pack = getattr(record, "pack", None)
    if pack is not None:
        carried: bytes | None = pack.arrival
        return carried
    return arrival_in(record.headers())


def arrival_in(headers: Iterable[tuple[str, bytes | None]] | None) -> bytes | None:
    """The value of the header, empty if it is damaged; None if there is none."""
    for name, value in headers or ():
        if name == ARRIVAL_HEADER:
            return value if value and len(value) <= _LONGEST and value.isdigit() else _UNKNOWN
    return None


def _milliseconds(carried: bytes) -> int:
    return int(carried) if carried else 0
