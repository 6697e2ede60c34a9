"""Timeline: where one task is in event time, and what that makes due.

Rules for whoever edits this file:
1. A stage sees the watermark less the delays of the window stages before it, and only when these have
   fired: their results are never late for it.
2. What is stored and what has been reported are in one transaction, so the one says what the other was.
   A rollback goes back to what is stored.
3. A window on which user code raises is closed all the same: the record that made it due is not to blame,
   and neither is the next one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop

from wallaroo.errors import StoredValueError
from wallaroo.task.context import StageError, TimeContext
from wallaroo.task.dead_letters import Rejections
from wallaroo.task.replay import RecordTransaction
from wallaroo.windows.control import decode_report
from wallaroo.windows.failed_window import FailedWindow
from wallaroo.windows.reports import Append, Level, Reports, clamp
from wallaroo.windows.timers import Timers, WindowTrigger
from wallaroo.windows.watermark import NEVER, Mark, SourceClock, UpstreamClock
from wallaroo.windows.watermark_store import WatermarkStore

# While it follows the wall clock, an upstream reports this often; nanoseconds.
_REPORT_EVERY = 1_000_000_000


class Timeline:
    """The event time of one task; `timers` are its range-window stages in order, by store."""

    def __init__(
        self,
        clock: SourceClock | UpstreamClock,
        marks: WatermarkStore,
        timers: Mapping[str, Timers],
        results: Level,
        reports: Reports | None,
    ) -> None:
        self.clock = clock
        self.timers = timers
        self.reports = reports
        self._marks = marks
        self._results = results
        self._lag = sum(each.grid.delay for each in timers.values())
        self._fast: list[WindowTrigger] = []
        self._careful: list[WindowTrigger] = []
        self._ahead = NEVER
        self._stirred = False
        self._heard = 0

    def fast_lane(self, rejections: Rejections) -> TimeContext:
        """Records move the clock, and what that makes due fires at once."""
        moved = self._move_and_fire if self.timers else partial(setattr, self.clock, "watermark")
        return self._lane(self._fast, moved, rejections)

    def careful_lane(self, rejections: Rejections) -> TimeContext:
        """Records move the clock only by `arrive`, when they have gone through as a whole."""
        return self._lane(self._careful, self._note_ahead, rejections)

    def restore(self, position: int) -> None:
        """Be as when what is stored and this offset were committed."""
        self._marks.restore()
        self.clock.restore(self._marks.own, self._marks.others, position)
        for timers in self.timers.values():
            timers.rebuild(self.clock.watermark)
        self._results.watermark = self.clock.watermark - self._lag
        if self.reports is not None:
            self.reports.restore()
        self._stirred = False

    @property
    def pending(self) -> bool:
        """Whether there is something to commit beside records."""
        return self._stirred or (self.reports is not None and self._should_report(_REPORT_EVERY))

    @property
    def watermark(self) -> int | None:
        """How far event time has come; None where nothing has been heard of it."""
        return None if self.clock.watermark == NEVER else self.clock.watermark

    @property
    def rests(self) -> bool:
        """Whether the passing of time alone changes nothing."""
        reported = self.reports is None or self._marks.own.idle
        return self.clock.idle and reported and not any(timers.heap for timers in self.timers.values())

    @property
    def awaits_end(self) -> bool:
        """Whether the wall clock would move the watermark, if it is sure that nothing is left to read."""
        return self.clock.awaits_end

    def look(self, now_ms: int, position: int, *, caught_up: bool) -> None:
        """See what time it is on a clock that never goes back; `caught_up`: nothing is left to read."""
        self.clock.look(now_ms, position, caught_up=caught_up)

    def hear(self, value: bytes) -> None:
        """Take a control record; StoredValueError where it is none."""
        report = decode_report(value)
        if isinstance(self.clock, UpstreamClock):
            self.clock.hear(report.upstream, report.mark)
        self._stirred = True
        self._heard += 1

    def take_heard(self) -> int:
        """How many control records there were since the last call."""
        heard, self._heard = self._heard, 0
        return heard

    def fire(self) -> None:
        """Fire all windows that are due."""
        watermark = self.clock.watermark
        for _, timers, fire, _ in reversed(self._fast):
            timers.watermark = level = watermark - timers.lag
            heap = timers.heap
            if heap and heap[0][0] <= level:
                self._stirred = True
                while heap and heap[0][0] <= level:
                    fire(*heappop(heap))
        self._results.watermark = watermark - self._lag

    def begin_record(self) -> None:
        """A record begins its way in the careful lane."""
        self._ahead = NEVER

    def arrive(self) -> None:
        """The record has gone through: its time counts."""
        self.clock.watermark = max(self.clock.watermark, self._ahead)

    def fire_carefully(self, attempts: RecordTransaction, rejections: Rejections, at: int) -> None:
        """Fire all windows that are due, each by itself; `at` is the offset that made them due."""
        watermark = self.clock.watermark
        for stage in reversed(self._careful):
            stage.timers.watermark = level = watermark - stage.timers.lag
            heap = stage.timers.heap
            while heap and heap[0][0] <= level:
                self._stirred = True
                due, key = heappop(heap)
                failure = attempts.attempt(partial(_fire, stage, due, key))
                if failure is not None:
                    window = FailedWindow(stage.timers.freeze(key), key, due - stage.timers.grid.delay, at)
                    attempts.attempt(partial(stage.give_up, due, key))
                    rejections.reject(window, failure.stage, failure.error)
        self._results.watermark = watermark - self._lag

    def collect(self, records: int, append: Append) -> Mapping[str, int]:
        """Put into a batch what must be remembered and told; returns the control records in it by topic."""
        if records:
            self.clock.wake()
        if self.reports is not None and self._should_report(1):
            self.reports.send(Mark(clamp(self._results.watermark), self.clock.idle), append)
        self._marks.save(self._mark, self.clock.marks)
        self._stirred = False
        return {} if self.reports is None else self.reports.count()

    @property
    def _mark(self) -> Mark:
        return Mark(self.clock.watermark, self.clock.idle)

    def _should_report(self, moved: int) -> bool:
        """Whether the clock has moved by so much since the last report, or fallen idle, or awoken."""
        now, told = self._mark, self._marks.own
        return now.idle != told.idle or (not now.idle and now.watermark - told.watermark >= moved)

    def _lane(
        self, firings: list[WindowTrigger], moved: Callable[[int], None], rejections: Rejections
    ) -> TimeContext:
        clock = self.clock if isinstance(self.clock, SourceClock) else None
        return TimeContext(
            self.timers, firings, clock, moved, self.reports, rejections.late, rejections.dropped
        )

    def _move_and_fire(self, event_time: int) -> None:
        self.clock.watermark = event_time
        self.fire()

    def _note_ahead(self, event_time: int) -> None:
        self._ahead = event_time


def _fire(stage: WindowTrigger, due: int, key: bytes) -> None:
    try:
        stage.fire(due, key)
    except (StageError, StoredValueError):
        raise
    except Exception as error:
        raise StageError(stage.name) from error
