"""FutureBound: how far ahead of the wall clock event time may be. Pure: the time is passed in.

Rules for whoever edits this file:
1. Only what gets its event time here is checked: behind a key change, the source has checked it.
2. `latest` is updated once per poll, so that the check costs a record one comparison.
3. A watermark beyond the bound is set back to the wall clock, never to the bound: what lies between the two
   would still be late.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from wallaroo.errors import RecordError
from wallaroo.record import NANOSECONDS_PER_MS, NANOSECONDS_PER_SECOND
from wallaroo.windows.watermark import WatermarkStatus

# Nearly a century and a half after the epoch: clocks and windows have room for twice that.
END_OF_TIME = 2**62

_log = logging.getLogger(__name__)


class FutureBound:
    """The bound of one sub-topology, in nanoseconds; None is none.

    `now` is the wall clock, and `latest` the last event time within the bound.
    """

    def __init__(self, max_future: int | None = None) -> None:
        self._max_future = max_future
        self.update(0)

    def update(self, now_ms: int) -> None:
        """Take the time of the wall clock, in milliseconds since the Unix epoch."""
        self.now = now_ms * NANOSECONDS_PER_MS
        latest = END_OF_TIME if self._max_future is None else self.now + self._max_future
        self.latest = min(latest, END_OF_TIME - 1)

    def set_back(self, status: WatermarkStatus) -> WatermarkStatus:
        """The status, set back to the wall clock, its pause forgotten, if it lies beyond the bound."""
        if status.watermark <= self.latest:
            return status
        return replace(status, watermark=self.now, pause=None)

    def refusal(self, what: str, event_time: int) -> RecordError:
        """The error for an event time beyond the bound; `what` says whose it is."""
        ahead = _duration(event_time - self.now)
        return RecordError(
            f"{what} is {as_date(event_time)}, {ahead} ahead of the wall clock; max_future_ms allows "
            f"{_duration(self._max_future or 0)}, as does max_future of a source in its place: beyond that a "
            "record would close the windows of all others. Mend the clock or the unit of what sent it, or "
            "raise the bound"
        )


def warn_of_set_back(task: str, stored: Mapping[str, WatermarkStatus], now: int) -> None:
    """Log that these watermarks in the state of a task, `<sub-topology>/<partition>`, have been set back."""
    sub_topology, _, partition = task.rpartition("/")
    _log.warning(
        "watermark set back",
        extra={
            "sub_topology": sub_topology,
            "partition": partition,
            "of": sorted(stored),
            "from": as_date(max(status.watermark for status in stored.values())),
            "to": as_date(now),
            "reason": "further ahead of the wall clock than max_future_ms allows",
        },
    )


def as_date(event_time: int) -> str:
    """An event time as ISO 8601 in UTC."""
    seconds, rest = divmod(min(event_time, END_OF_TIME), NANOSECONDS_PER_SECOND)
    date = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1_000)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _duration(nanoseconds: int) -> str:
    return str(timedelta(seconds=nanoseconds // NANOSECONDS_PER_SECOND))
