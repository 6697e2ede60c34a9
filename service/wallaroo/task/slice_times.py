"""The event times of a slice, read by column, where none of its records needs anything of its own.

Then no record of the slice is late, refused, or preceded by a report, wherever in the slice it is, and the
clock may be moved behind the whole slice. Otherwise the records go one by one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wallaroo.record import NANOSECONDS_PER_MS
from wallaroo.task.record_batch import ExactRecord
from wallaroo.windows.future import FutureBound
from wallaroo.windows.watermark import OutputWatermark, SourceClock

# (event time, watermark): whether a record of that time has missed something.
HasMissed = Callable[[int, int], bool]


class SliceTimes(NamedTuple):
    """`of` returns the event times of a slice and the last of them; None if it goes record by record.

    `done` ends a slice, by its last time. `keeps` says that results are to carry their event time, because a
    record itself does not say it.
    """

    of: Callable[[Sequence[Any]], tuple[Sequence[int], int] | None]
    done: Callable[[int], None]
    keeps: bool


def times_of_source(clock: SourceClock, future: FutureBound, has_missed: HasMissed) -> SliceTimes:
    """The timestamps of records of a source, which move its clock."""

    def timestamps(run: Sequence[Any]) -> tuple[Sequence[int], int] | None:
        times = [record.timestamp()[1] * NANOSECONDS_PER_MS for record in run]
        first, last = min(times), max(times)
        if first < 0 or last > future.latest or has_missed(first, max(last, clock.watermark)):
            return None
        return times, last

    def advance_clock(last: int) -> None:
        clock.watermark = max(clock.watermark, last)

    return SliceTimes(timestamps, advance_clock, keeps=False)


def times_of_hop(level: OutputWatermark, has_missed: HasMissed) -> SliceTimes:
    """The times of records of a repartition topic, whose watermark comes in reports."""
    exact = {ExactRecord}

    def exact_times(run: Sequence[Any]) -> tuple[Sequence[int], int] | None:
        if {*map(type, run)} != exact:
            return None
        times = [record.time for record in run]
        return None if has_missed(min(times), level.watermark) else (times, max(times))

    return SliceTimes(exact_times, lambda _last: None, keeps=True)
