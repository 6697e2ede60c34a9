"""Timeline: where one task is in event time, and which windows that makes due.

Rules for whoever edits this file:
1. A stage sees the watermark less the delays of the window stages before it, and only once these have
   fired: their results are never late for it.
2. What is stored and what has been reported are in one transaction, so the one says what the other was.
   A rollback goes back to what is stored.
3. A window on which user code raises is closed all the same: the record that made it due is not to blame,
   and neither is the next one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from heapq import heappop

from wallaroo.record import Append, Partition
from wallaroo.state.store import KeyedStore
from wallaroo.topology.model import Repartition, SubTopology
from wallaroo.topology.steps import Window
from wallaroo.windows.control import WatermarkReports, clamp, decode_report, upstream_id
from wallaroo.windows.future import FutureBound, warn_of_set_back
from wallaroo.windows.kinds import due_times_of, kind_of
from wallaroo.windows.stage import DueWindow, TimeContext, WindowTrigger
from wallaroo.windows.timers import Timers
from wallaroo.windows.watermark import (
    NEVER,
    OutputWatermark,
    SourceClock,
    UpstreamClock,
    WatermarkStatus,
    WatermarkStore,
)

# While it follows the wall clock, an upstream reports this often; nanoseconds.
_REPORT_EVERY = 1_000_000_000

Late = Counter[str]
Dropped = Counter[tuple[str, str]]


class Timeline:
    """The event time of one task; `timers` are its event-time window stages in order, by store."""

    def __init__(
        self,
        clock: SourceClock | UpstreamClock,
        stored: WatermarkStore,
        timers: Mapping[str, Timers],
        output: OutputWatermark,
        reports: WatermarkReports | None,
        future: FutureBound,
    ) -> None:
        self.clock = clock
        self._future = future
        self.timers = timers
        self._reports = reports
        self._stored = stored
        self._output = output
        self._total_delay = sum(each.delay for each in timers.values())
        self._triggers: list[WindowTrigger] = []
        self._replay_triggers: list[WindowTrigger] = []
        self._changed = False
        self._control_records = 0

    def contexts(self, late: Late, dropped: Dropped) -> tuple[TimeContext, TimeContext]:
        """(batch mode, replay mode): in batch mode, a record that moves the clock fires the windows due."""
        clock = self.clock if isinstance(self.clock, SourceClock) else None
        move = partial(setattr, self.clock, "watermark")
        replay = TimeContext(self.timers, self._replay_triggers, clock, move, self._reports, late, dropped)
        replay = replace(replay, future=self._future)
        advance = self._advance_and_fire if self.timers else move
        return replace(replay, triggers=self._triggers, advance=advance), replay

    def restore(self, position: int) -> None:
        """Reset to the state committed at this offset."""
        set_back = self._stored.restore(self._future.set_back)
        self.clock.restore(self._stored.own, self._stored.upstreams, position)
        for timers in self.timers.values():
            timers.rebuild(self.clock.watermark)
        self._output.watermark = self.clock.watermark - self._total_delay
        if self._reports is not None:
            self._reports.restore()
        self._changed = bool(set_back)
        if set_back:
            warn_of_set_back(self._stored.own_name, set_back, self._future.now)

    @property
    def pending(self) -> bool:
        """Whether there is something to commit besides records."""
        return self._changed or (self._reports is not None and self._should_report(_REPORT_EVERY))

    @property
    def watermark(self) -> int | None:
        """How far event time has come; None before the first event."""
        return None if self.clock.watermark == NEVER else self.clock.watermark

    @property
    def is_idle(self) -> bool:
        """Whether the passing of time alone changes nothing."""
        reported = self._reports is None or self._stored.own.idle
        return self.clock.idle and reported and not any(timers.heap for timers in self.timers.values())

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock would move the watermark if it is certain that nothing is left to read."""
        return self.clock.awaits_end

    def advance_wall_clock(self, now_ms: int, position: int, *, caught_up: bool) -> None:
        """Take the time of a monotonic clock; `caught_up`: nothing is left to read."""
        self.clock.advance_wall_clock(now_ms, position, caught_up=caught_up)

    def on_control_record(self, value: bytes) -> None:
        """Take a control record; StoredValueError if it cannot be read."""
        upstream, status = decode_report(value)
        if isinstance(self.clock, UpstreamClock):
            self.clock.update(upstream, self._future.set_back(status))
        self._changed = True
        self._control_records += 1

    def take_control_records(self) -> int:
        """How many control records there were since the last call."""
        count, self._control_records = self._control_records, 0
        return count

    def fire(self) -> None:
        """Fire all windows that are due."""
        watermark = self.clock.watermark
        for _, timers, fire, _ in reversed(self._triggers):
            timers.watermark = level = watermark - timers.preceding_delay
            heap = timers.heap
            if heap and heap[0][0] <= level:
                self._changed = True
                while heap and heap[0][0] <= level:
                    fire(*heappop(heap))
        self._output.watermark = watermark - self._total_delay

    def due_windows(self, offset: int) -> Iterator[DueWindow]:
        """All windows that are due in replay mode; fire each one before taking the next.

        `offset` is that of the record that made them due.
        """
        watermark = self.clock.watermark
        for trigger in reversed(self._replay_triggers):
            timers = trigger.timers
            timers.watermark = level = watermark - timers.preceding_delay
            while timers.heap and timers.heap[0][0] <= level:
                self._changed = True
                yield DueWindow(trigger, *heappop(timers.heap), offset)
        self._output.watermark = watermark - self._total_delay

    def collect(self, records: int, append: Append) -> Mapping[str, int]:
        """Store and report the watermark with a batch; returns the control records in it, by topic."""
        if records:
            self.clock.idle = False
        if self._reports is not None and self._should_report(1):
            output = WatermarkStatus(clamp(self._output.watermark), self.clock.idle)
            self._reports.send_watermark(output, append)
        self._stored.save(self._status, self.clock.upstreams)
        self._changed = False
        return {} if self._reports is None else self._reports.take_count()

    @property
    def _status(self) -> WatermarkStatus:
        return WatermarkStatus(self.clock.watermark, self.clock.idle)

    def _should_report(self, moved: int) -> bool:
        """Whether since the last report the clock has moved this far, become idle, or woken up."""
        now, reported = self._status, self._stored.own
        return now.idle != reported.idle or (not now.idle and now.watermark - reported.watermark >= moved)

    def _advance_and_fire(self, event_time: int) -> None:
        self.clock.watermark = event_time
        self.fire()


class Untimed:
    """The timeline of a task to which event time means nothing; it costs nothing per record."""

    pending = False
    is_idle = True
    awaits_end = False
    watermark: int | None = None

    def contexts(self, _late: Late, _dropped: Dropped) -> tuple[TimeContext, TimeContext]:
        return TimeContext(), TimeContext()

    def restore(self, _position: int) -> None: ...

    def advance_wall_clock(self, _now_ms: int, _position: int, *, caught_up: bool) -> None: ...

    def on_control_record(self, _value: bytes) -> None:
        """Windows that are no longer declared leave control records behind; ignore them."""

    def take_control_records(self) -> int:
        return 0

    def fire(self) -> None: ...

    def due_windows(self, _offset: int) -> Iterator[DueWindow]:
        return iter(())

    def collect(self, _records: int, _append: Append) -> Mapping[str, int]:
        return {}


class _DelayedWatermark:
    """How far the results of a task have come if its windows hold some of them back."""

    def __init__(self) -> None:
        self.watermark = NEVER


def timeline_of(
    sub: SubTopology,
    partition: Partition,
    stores: Mapping[str, KeyedStore],
    partitions: Mapping[str, int],
    future: FutureBound,
) -> Timeline | Untimed:
    """The timeline of one task over its stores; `partitions` are those of every topic."""
    timing = sub.timing
    if timing is None:
        return Untimed()
    upstreams = [
        upstream_id(upstream.name, number)
        for upstream in sub.input.upstreams
        for number in range(partitions[upstream.topic])
    ]
    clock: SourceClock | UpstreamClock = (
        SourceClock(timing.idle_timeout, timing.horizon) if sub.input.is_source else UpstreamClock(upstreams)
    )
    own = upstream_id(sub.name, partition.number)
    timers = _timers(sub, stores)
    output: OutputWatermark = _DelayedWatermark() if timers else clock
    stored = WatermarkStore(stores[timing.store.name], own)
    return Timeline(clock, stored, timers, output, _reports(own, sub, partitions, output), future)


def _timers(sub: SubTopology, stores: Mapping[str, KeyedStore]) -> dict[str, Timers]:
    timers: dict[str, Timers] = {}
    preceding_delay = 0
    for step in sub.steps:
        if isinstance(step, Window) and kind_of(step).due_times is not None:
            timers[step.store.name] = Timers(stores[step.store.name], due_times_of(step), preceding_delay)
            preceding_delay += timers[step.store.name].delay
    return timers


def _reports(
    own: str, sub: SubTopology, partitions: Mapping[str, int], output: OutputWatermark
) -> WatermarkReports | None:
    for target in sub.targets:
        if isinstance(target, Repartition) and target.windows is not None:
            has_missed = due_times_of(target.windows).has_missed
            return WatermarkReports(own, target.topic, partitions[target.topic], has_missed, output)
    return None
