"""The commit cycle of one loop: collect, fly, land; and back to the last commit when one is aborted.

Rules for whoever edits this file:
1. Everything here runs on the loop's thread; only the write itself waits elsewhere.
2. At most one commit is in flight. While it is, the next batch grows.
3. An aborted commit takes every task of the loop back, those of the next batch included.
"""

import logging
from collections.abc import Callable
from typing import Any

from wallaroo.clock import Clock
from wallaroo.engine.committer import Committer
from wallaroo.engine.metrics import LoopMeasures
from wallaroo.engine.pacing import Pace
from wallaroo.engine.transaction import Commit
from wallaroo.errors import CommitError
from wallaroo.record import Batch, Rewind
from wallaroo.task.record_size import RecordSizeLimits
from wallaroo.task.task import Task

_log = logging.getLogger(__name__)

_MOST_ABORTS_IN_A_ROW = 10


class CommitCycle:
    """Commits the tasks of one loop; `seek` is what takes a task's consumer back to an offset."""

    def __init__(
        self,
        tasks: dict[int, Task],
        committer: Committer,
        pace: Pace,
        measures: LoopMeasures,
        seek: Callable[[Task, int], None],
        clock: Clock,
    ) -> None:
        self.pending = 0
        self._tasks = tasks
        self._committer = committer
        self._pace = pace
        self._measures = measures
        self._seek = seek
        self._clock = clock
        self._aborts = 0

    @property
    def in_flight(self) -> bool:
        return self._committer.in_flight

    def wait(self, seconds: float) -> None:
        """Until the commit in flight has ended, or for so long."""
        self._committer.wait(seconds)

    def rest(self) -> float | None:
        """For how many seconds what is pending has to wait at most; None if nothing is."""
        return max(0.0, self._pace.rest(self._clock.monotonic())) if self.pending else None

    def when_due(self, group: Callable[[], Any], *, dry: bool) -> None:
        """Land what has landed, and start the next commit if it is due; `group` gives its metadata."""
        if self._committer.landed:
            self.land()
        self.pending = sum(task.pending_records for task in self._tasks.values())
        in_flight = self._committer.in_flight
        if self._pace.due(self._clock.monotonic(), self.pending, dry=dry, in_flight=in_flight):
            self.land()
            self._start(group())

    def now(self, group: Any) -> None:
        """Commit all that has been done, and wait for it."""
        self.land()
        self._start(group)
        self.land()

    def land(self) -> None:
        """Wait for the commit in flight, and tell its tasks how it ended."""
        landed = self._committer.land()
        if landed is None:
            return
        commit, landing = landed
        self._pace.landed = self._clock.monotonic()
        seconds = self._pace.landed - self._pace.started
        self._measures.commit_landed(landing, commit.batches, seconds, self._clock.now_ms())
        if not landing.committed:
            if landing.limits is not None:
                self._enforce_size_limits(commit, landing.limits)
            self._roll_back(landing.reason)
            return
        self._aborts = 0
        for batch in commit.batches:
            task = self._tasks.get(batch.partition.number)
            if task is not None:
                task.committed(batch)

    def rewind(self, task: Task, rewind: Rewind) -> None:
        """User code failed: back to the last commit, and through the same records carefully."""
        self.land()
        _log.info("rewinding", extra={"partition": rewind.partition, "failed_offset": rewind.failed_offset})
        self._seek(task, task.rollback())

    def close(self) -> None:
        self._committer.close()

    def _start(self, group: Any) -> None:
        batches: list[Batch] = []
        for task in list(self._tasks.values()):
            collected = task.collect()
            if isinstance(collected, Rewind):
                self.rewind(task, collected)
            elif collected is not None:
                batches.append(collected)
        self._pace.started = self._clock.monotonic()
        self.pending = 0
        if batches:
            self._committer.start(Commit(batches, group))

    def _enforce_size_limits(self, commit: Commit, limits: RecordSizeLimits) -> None:
        """What is too large is to become the failure of the record that made it, in whichever task."""
        if any(map(limits.are_exceeded, commit.batches)):
            for task in self._tasks.values():
                task.enforce_size_limits(limits)

    def _roll_back(self, reason: str) -> None:
        self._aborts += 1
        _log.warning("commit aborted", extra={"reason": reason, "in_a_row": self._aborts})
        if self._aborts > _MOST_ABORTS_IN_A_ROW:
            raise CommitError(f"{self._aborts} commits in a row were aborted: {reason}")
        for task in self._tasks.values():
            self._seek(task, task.rollback())
