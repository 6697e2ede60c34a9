"""The commit cycle of one loop: collect, write in another thread, confirm or roll back.

Rules for whoever edits this file:
1. Everything here runs in the loop's thread; only the write itself waits elsewhere.
2. At most one commit is in progress. Meanwhile the next batch grows.
3. An aborted commit rolls every task of the loop back, and with it the next batch.
4. A commit that was on its way while the group rebalanced is written again, as it is, with the metadata of
   the new generation: the client tells us of every partition that it loses before it joins anew, so whatever
   task is still here may be committed. `on_lost` drops the tasks first.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.commit_watch import CommitWatch, Waiting, topics_of
from wallaroo.engine.failure_log import FailureLog
from wallaroo.engine.hole import MissingResultsError, mark_hole
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.pacing import CommitPacing
from wallaroo.engine.task_group import TaskGroup
from wallaroo.engine.transaction import Commit, CommitResult, Writer
from wallaroo.errors import CommitError
from wallaroo.kafka.topic_ids import TopicWatch

_log = logging.getLogger(__name__)

_MOST_ABORTS_IN_A_ROW = 10
# The client knows of the new generation as soon as Kafka refuses the old one, give or take a moment.
_MOST_REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class Clients:
    """A loop's clients, and how it commits with them.

    `write` runs in a thread of its own; then `finish`, if it is given, in the loop's thread. A commit that
    takes longer than `timeout_seconds` ends the worker. `watch` knows whether the topics are still the same;
    without it, the cluster cannot be asked about topics.
    """

    consumer: Consumer
    admin: AdminClient
    write: Writer
    finish: Writer | None = None
    timeout_seconds: float = 30.0
    watch: TopicWatch | None = None


def new_watch(name: str, clock: Clock) -> CommitWatch:
    """What a loop says of commits that do not succeed; it is asked before there is a CommitCycle."""
    return CommitWatch(name, clock)


class CommitCycle:
    """Commits what the tasks of one loop have processed, when it is due."""

    def __init__(
        self,
        tasks: TaskGroup,
        clients: Clients,
        pacing: CommitPacing,
        metrics: LoopMetrics,
        clock: Clock,
        watch: CommitWatch | None = None,
    ) -> None:
        self._tasks = tasks
        self._clients = clients
        self._pacing = pacing
        self._metrics = metrics
        self._clock = clock
        self._failures = FailureLog(clock)
        self._watch = watch or new_watch("", clock)
        self._watch.ask_by(None if clients.watch is None else clients.admin)
        self._pending = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._current: tuple[Commit, Future[CommitResult]] | None = None
        self._deadline = 0.0
        self._aborts = 0
        self._repetitions = 0

    @property
    def in_progress(self) -> bool:
        return self._current is not None

    @property
    def is_over(self) -> bool:
        """Whether `await_result` need not wait: the commit in progress has ended, or it never will."""
        if self._current is None:
            return False
        return self._current[1].done() or self._clock.monotonic() >= self._deadline

    def wait(self, seconds: float) -> None:
        """Wait until the commit in progress has ended, but no longer than this."""
        if self._current is not None:
            wait([self._current[1]], seconds)

    def seconds_to_linger(self) -> float | None:
        """How long pending records may still wait for more; None if there are none."""
        return self._pacing.linger_left(self._clock.monotonic()) if self._pending else None

    def commit_if_due(self, *, dry: bool) -> None:
        """Follow up a commit that has ended, and start the next one if it is due.

        `dry` says that there was nothing more to read.
        """
        if self.is_over:
            self.await_result()
        if self._failures.waits:
            self._failures.flush()
        self._pending = self._tasks.pending_records
        now = self._clock.monotonic()
        if self._pacing.is_due(now, self._pending, dry=dry, in_progress=self.in_progress):
            self.await_result()
            self._commit()

    def commit_and_wait(self) -> None:
        """Commit everything that has been processed."""
        self.await_result()
        self._commit()
        self.await_result()

    def await_result(self) -> None:
        """Wait for the commit in progress; confirm it to its tasks, or roll every task back.

        Raises CommitError if it does not end in time or if too many have been aborted in a row, and the error
        of the commit itself if it is fatal.
        """
        if self._current is None:
            return
        commit, future = self._current
        self._current = None
        try:
            result = future.result(max(0.0, self._deadline - self._clock.monotonic()))
        except MissingResultsError as error:
            mark_hole(self._clients.consumer, error.marks)
            raise
        except (TimeoutError, CommitError) as error:
            late = f"a commit has not ended within {self._clients.timeout_seconds:g} s"
            raise self._ended_by(str(error) or late) from error.__cause__ or error
        if result.committed and self._clients.finish is not None:
            result = self._clients.finish(commit)
        if result.is_outdated and self._repeat(commit):
            self.await_result()
            return
        self._repetitions = 0
        self._pacing.ended = self._clock.monotonic()
        seconds = self._pacing.ended - self._pacing.started
        self._metrics.commit_ended(result, commit.batches, seconds, self._clock.now_ms())
        if result.committed:
            self._aborts = 0
            self._watch.committed()
            for batch in commit.batches:
                if batch.failures:
                    self._failures.add(batch.failures)
                if batch.late:
                    self._failures.add_late(batch.dropped)
            self._tasks.committed(commit.batches)
        else:
            self._roll_back(commit, result)

    def _roll_back(self, commit: Commit, result: CommitResult) -> None:
        if result.refusal is not None and result.refusal.records:
            # As many aborts as records are refused lead to the end.
            self._aborts = 0
        self._aborts += 1
        self._watch.aborted(result.reason)
        _log.warning("commit aborted", extra={"reason": result.reason, "in_a_row": self._aborts})
        if self._aborts > _MOST_ABORTS_IN_A_ROW:
            raise self._ended_by(f"{self._aborts} commits in a row were aborted: {result.reason}")
        self._tasks.aborted(commit.batches, result.refusal)

    def _ended_by(self, text: str) -> CommitError:
        """The error to end with; what has kept commits from succeeding is said first, if it is known."""
        obstacle = self._watch.obstacle()
        return CommitError(f"{obstacle}; {text}" if obstacle else text)

    def _repeat(self, commit: Commit) -> bool:
        """Write a commit again whose group has rebalanced meanwhile; False if that is no use."""
        is_ours = all(self._tasks.get(batch.partition.number) is not None for batch in commit.batches)
        if self._repetitions >= _MOST_REPETITIONS or not is_ours:
            return False
        self._repetitions += 1
        _log.info("commit repeated", extra={"why": "the group has rebalanced meanwhile"})
        again = replace(commit, group=self._clients.consumer.consumer_group_metadata())
        self._deadline = self._clock.monotonic() + self._clients.timeout_seconds
        self._current = again, self._thread.submit(self._clients.write, again)
        return True

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _commit(self) -> None:
        group = self._clients.consumer.consumer_group_metadata()
        batches = self._tasks.collect()
        now = self._clock.monotonic()
        self._pacing.started = now
        self._pending = 0
        if batches:
            commit = Commit(batches, group, self._tasks.committed_offsets())
            self._deadline = now + self._clients.timeout_seconds
            topics = partial(topics_of, commit)
            # As CommitWatch.begun, without the call.
            waiting = self._watch.waiting or Waiting(now, self._clock.now_ms(), topics)
            self._watch.waiting = replace(waiting, topics=topics)
            self._current = commit, self._thread.submit(self._clients.write, commit)
