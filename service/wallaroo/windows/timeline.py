"""Timeline: where one task is in event time, and which windows and keys that makes due.

Rules for whoever edits this file:
1. A stage sees the watermark less the delays of the window stages before it, and only once these have
   fired: their results are never late for it.
2. What is stored and what has been reported are in one transaction, so the one says what the other was.
   A rollback goes back to what is stored.
3. A window on which user code raises is closed all the same: the record that made it due is not to blame,
   and neither is the next one.
4. A task that has a window open is not idle, whatever its clock says: its results are still to come. Keys
   that are to expire hold nothing back.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from heapq import heappop
from typing import NamedTuple

from wallaroo.record import Append, Partition, Place, Question
from wallaroo.state.store import KeyedStore
from wallaroo.topology.model import Repartition, SubTopology, Timing
from wallaroo.topology.steps import Stateful, Window, late_allowance
from wallaroo.windows.control import WatermarkReports, clamp, decode_report, upstream_id
from wallaroo.windows.expiry import Expiry
from wallaroo.windows.future import FutureBound, warn_of_set_back
from wallaroo.windows.kinds import due_times_of, kind_of
from wallaroo.windows.stage import DueWindow, TimeContext, WindowTrigger
from wallaroo.windows.timers import NOTHING_DUE, Timers
from wallaroo.windows.upstreams import UpstreamClock
from wallaroo.windows.watermark import (
    NEVER,
    UNKNOWN,
    OutputWatermark,
    SourceClock,
    WatermarkStatus,
    WatermarkStore,
)

# While it follows the wall clock, an upstream reports this often in nanoseconds, between these bounds; where
# windows are open for long, a report to every partition each second would be too many.
_REPORTS_IN_A_HORIZON = 100
_REPORT_AT_MOST_EVERY, _REPORT_AT_LEAST_EVERY = 100_000_000, 1_000_000_000
_REPORTS_IN_A_LONG_HORIZON = 600
_REPORT_AT_LEAST_EVERY_WHEN_LONG = 10_000_000_000

Late = Counter[str]
Dropped = Counter[tuple[str, str]]


class TimedStages(NamedTuple):
    """The stages of a task that wait for event time, in order, by store: windows, and those with a ttl."""

    timers: Mapping[str, Timers]
    expiries: Mapping[str, Expiry]


class Timeline:
    """The event time of one task; `timers` are its event-time window stages in order, by store."""

    def __init__(
        self,
        clock: SourceClock | UpstreamClock,
        stored: WatermarkStore,
        stages: TimedStages,
        output: OutputWatermark,
        reports: WatermarkReports | None,
        future: FutureBound,
    ) -> None:
        self.clock = clock
        self._future = future
        self.timers, self._expiries = stages
        self._is_built = False
        self._reports = reports
        self._stored = stored
        self._output = output
        self._total_delay = sum(each.delay for each in self.timers.values())
        self._triggers: list[WindowTrigger] = []
        self._replay_triggers: list[WindowTrigger] = []
        self._changed = False
        self._control_records = 0

    def contexts(self, late: Late, dropped: Dropped) -> tuple[TimeContext, TimeContext]:
        """(batch mode, replay mode): in batch mode, a record that moves the clock fires the windows due."""
        clock = self.clock if isinstance(self.clock, SourceClock) else None
        move = partial(setattr, self.clock, "watermark")
        replay = TimeContext(
            self.timers,
            self._expiries,
            self._replay_triggers,
            clock,
            move,
            self._reports,
            late,
            dropped,
            self._future,
        )
        replay = replace(replay, output=self._output)
        advance = self._advance_and_fire if self.timers else move
        return replace(replay, triggers=self._triggers, advance=advance), replay

    def restore(self, position: int) -> None:
        """Reset to the state committed at this offset."""
        set_back = self._stored.restore(self._future.set_back)
        self.clock.restore(self._stored.own, self._stored.upstreams, position)
        for timers in self.timers.values():
            timers.rebuild(self.clock.watermark)
        self._restore_expiries()
        self._output.watermark = self.clock.watermark - self._total_delay
        if self._reports is not None:
            self._reports.restore()
        self._changed = bool(set_back)
        if set_back:
            warn_of_set_back(self._stored.own_name, set_back, self._future.now)

    def _restore_expiries(self) -> None:
        watermark = self.clock.watermark
        for expiry in self._expiries.values():
            if expiry.level is not self.clock:
                expiry.level.watermark = watermark - expiry.preceding_delay
            if self._is_built:
                expiry.roll_back()
            else:
                expiry.build(watermark)
        self._is_built = True

    @property
    def pending(self) -> bool:
        """Whether there is something to commit besides records."""
        if self._changed or any(expiry.is_due for expiry in self._expiries.values()):
            return True
        return self._reports is not None and self._should_report(self._step)

    @property
    def watermark(self) -> int | None:
        """How far event time has come; None before the first event."""
        return None if self.clock.watermark == NEVER else self.clock.watermark

    @property
    def is_idle(self) -> bool:
        """Whether the clock has come to its end, as far as it goes without input."""
        return self.clock.idle

    @property
    def due_ms(self) -> int | None:
        """When the broker is to be asked next; None if the passing of time alone changes nothing."""
        return self.clock.due_ms(self._next_to_matter())

    def observe(self, now_ms: int, position: int, eof: int | None) -> None:
        """Take the time; `position` is the offset to read next, `eof` where the consumer last met the end."""
        self.clock.observe(now_ms, position, eof)

    def ask(self, now_ms: int) -> Question:
        """What has to be asked of the broker before the clock can go on; earlier questions are forgotten."""
        return self.clock.ask(now_ms)

    def answer(self, question: Question, end: int | None, ends: Mapping[Place, int | None]) -> None:
        """Take the ends of the own input and of those of upstreams; None where nobody could say."""
        self.clock.answer(question, end, ends)

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
        for expiry in self._expiries.values():
            expiry.remove_due(records)
        own = self._status
        if self._reports is not None and self._should_report(1):
            self._reports.send_watermark(replace(own, watermark=clamp(self._output.watermark)), append)
        self._stored.save(own, self.clock.upstreams)
        self._changed = False
        return {} if self._reports is None else self._reports.take_count()

    @property
    def _has_open(self) -> bool:
        return any(timers.heap for timers in self.timers.values())

    @property
    def _status(self) -> WatermarkStatus:
        clock = self.clock
        idle = clock.idle and not self._has_open
        return WatermarkStatus(clock.watermark, idle, clock.rests_at if idle else UNKNOWN, clock.pause)

    def _should_report(self, moved: int) -> bool:
        """Whether since the last report the clock has moved this far, become idle elsewhere, or woken up."""
        now, reported = self._status, self._stored.own
        if now.rests_at != reported.rests_at:
            return True
        return not now.idle and now.watermark - reported.watermark >= moved

    @property
    def _step(self) -> int:
        """How far the watermark must move for a report: any way, unless only the wall clock moves it."""
        return self._reports.every if self._reports is not None and self.clock.all_idle else 1

    def _next_to_matter(self) -> int | None:
        """The next watermark at which a window fires, keys end or a report is due."""
        levels = [each.heap[0][0] + each.preceding_delay for each in self.timers.values() if each.heap]
        levels += [each.next_due for each in self._expiries.values() if each.next_due is not None]
        if self._reports is not None and not self._status.idle:
            levels.append(self.clock.watermark + self._step)
        return min(levels, default=None)

    def _advance_and_fire(self, event_time: int) -> None:
        self.clock.watermark = event_time
        self.fire()


class Untimed:
    """The timeline of a task to which event time means nothing; it costs nothing per record."""

    pending = False
    is_idle = False
    due_ms: int | None = None
    watermark: int | None = None

    def contexts(self, _late: Late, _dropped: Dropped) -> tuple[TimeContext, TimeContext]:
        return TimeContext(), TimeContext()

    def restore(self, _position: int) -> None: ...

    def observe(self, _now_ms: int, _position: int, _eof: int | None) -> None: ...

    def ask(self, now_ms: int) -> Question:
        """Nothing is ever due here."""
        return Question(now_ms, 0, NEVER, {}, of_input=False)

    def answer(self, _question: Question, _end: int | None, _ends: Mapping[Place, int | None]) -> None: ...

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
    own = upstream_id(sub.name, partition.number)
    clock = _clock(sub, timing, partitions)
    stages = _stages(sub, stores, clock)
    output: OutputWatermark = _DelayedWatermark() if stages.timers else clock
    stored = WatermarkStore(stores[timing.store.name], own)
    reports = _reports(own, sub, partitions, output)
    return Timeline(clock, stored, stages, output, reports, future)


def _clock(sub: SubTopology, timing: Timing, partitions: Mapping[str, int]) -> SourceClock | UpstreamClock:
    leads_on = any(isinstance(target, Repartition) and target.needs_watermarks for target in sub.targets)
    if sub.input.is_source:
        return SourceClock(timing.idle_timeout, timing.horizon, leads_on=leads_on, slack=timing.slack)
    topics = {upstream.name: upstream.topic for upstream in sub.input.upstreams}
    expected = [upstream_id(name, n) for name, topic in topics.items() for n in range(partitions[topic])]
    return UpstreamClock(expected, topics, timing.horizon, leads_on=leads_on)


def _stages(sub: SubTopology, stores: Mapping[str, KeyedStore], clock: OutputWatermark) -> TimedStages:
    timers: dict[str, Timers] = {}
    expiries: dict[str, Expiry] = {}
    preceding_delay = 0
    for step in sub.steps:
        if not isinstance(step, Stateful):
            continue
        name = step.store.name
        if not isinstance(step, Window):
            if step.ttl is not None:
                # Where windows come before, what they have held back has to be through first.
                level = Timers(stores[name], NOTHING_DUE, preceding_delay) if timers else clock
                expiries[name] = Expiry(stores[name], step.ttl, level, preceding_delay)
        elif kind_of(step).due_times is not None:
            timers[name] = Timers(stores[name], due_times_of(step), preceding_delay)
            preceding_delay += timers[name].delay
    return TimedStages(timers, expiries)


def _reports(
    own: str, sub: SubTopology, partitions: Mapping[str, int], output: OutputWatermark
) -> WatermarkReports | None:
    for target in sub.targets:
        if isinstance(target, Repartition) and target.needs_watermarks:
            has_missed = _has_missed(target)
            every = _report_every(0 if sub.timing is None else sub.timing.horizon)
            return WatermarkReports(own, target.topic, partitions[target.topic], has_missed, output, every)
    return None


def _has_missed(target: Repartition) -> Callable[[int, int], bool]:
    """Whether a record of this time is so far out of order that what lies ahead may treat it otherwise."""
    of_windows = None if target.windows is None else due_times_of(target.windows).has_missed
    if target.ttl is None and of_windows is not None:
        return of_windows
    allowance = 0 if target.ttl is None else late_allowance(target.ttl)

    def has_missed(event_time: int, watermark: int) -> bool:
        late = event_time + allowance < watermark
        return late or (of_windows is not None and of_windows(event_time, watermark))

    return has_missed


def _report_every(horizon: int) -> int:
    every = min(max(horizon // _REPORTS_IN_A_HORIZON, _REPORT_AT_MOST_EVERY), _REPORT_AT_LEAST_EVERY)
    return max(every, min(horizon // _REPORTS_IN_A_LONG_HORIZON, _REPORT_AT_LEAST_EVERY_WHEN_LONG))
