"""The loop of one generator in one worker: run it only in the worker that owns it.

Rules for whoever edits this file:
1. The owner of partition 0 of the topic of positions runs the generator. The transactional id is the same
   for every owner: opening it aborts what the previous owner left open, and only then the position is read.
2. No transaction is open while user code runs.
3. An aborted batch is written again as it is, never generated a second time.
4. When user code raises, the generator restarts from the saved position, one value at a time.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, TopicPartition

from wallaroo.clock import Clock
from wallaroo.connectors.generator.task import PARTITION, GeneratorTask, Positions, new_logs, topics_in
from wallaroo.connectors.generator.topics import GeneratorTopics
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.pacing import Backoff
from wallaroo.errors import CommitError, StopProcessing, text_of
from wallaroo.kafka.group_member import Assigned, GroupMember
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus, Uncommitted
from wallaroo.settings import Settings
from wallaroo.topology.model import Generator

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
_MOST_VALUES = 1_000
_MOST_SECONDS = 0.1
# After a transaction, the broker is still writing its markers for so long.
_GAP_SECONDS = 0.003
_BACKLOG_SECONDS = 0.2
_MOST_ABORTS_IN_A_ROW = 10
_ADVICE = "only its last value will survive a restart; make it picklable, its class at the top of a module"


class GeneratorLoop:
    """Runs one generator as long as this worker owns it, until told to stop."""

    def __init__(
        self,
        generator: Generator,
        positions: Positions,
        open_consumer: Callable[[], Consumer],
        open_topics: Callable[[], GeneratorTopics],
        settings: Settings,
        clock: Clock,
    ) -> None:
        """The topics are opened whenever this worker becomes the owner."""
        self.name = generator.name
        self.metrics = LoopMetrics(generator.name)
        self._generator = generator
        self._positions = positions
        self._open_consumer = open_consumer
        self._open_topics = open_topics
        self._open_watch: Callable[[], Callable[[], None]] | None = None
        self._check_topics: Callable[[], None] = lambda: None
        self._settings = settings
        self._clock = clock
        self._stopping = threading.Event()
        self._member = GroupMember(generator.positions, settings, None, self, {"generator": self.name})
        self._owner = False
        self._problem: str | None = None
        value = f"the next value of the generator of {generator.source!r}"
        self._slow = self.metrics.watch_user_code(generator.topic, {}, clock, lambda _number: None, value)
        self._backoff = Backoff()
        # So many values are still generated in a batch of their own, because user code has raised.
        self._one_by_one = 0
        self._aborts = 0
        self._commits, self._failures = new_logs(generator, clock)
        self._due = clock.monotonic()
        self._topics: GeneratorTopics | None = None
        self._task: GeneratorTask | None = None

    def watch_topics_by(self, open_watch: Callable[[], Callable[[], None]]) -> None:
        """Notice that topics are gone or made anew, whoever is the owner; the check is called often."""
        self._open_watch = open_watch

    def resume(self, before: Uncommitted | None) -> None:
        self._commits.resume(before)

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        slow = self.metrics.look_for_slow()
        return LoopStatus(
            self.name,
            self._member.answered,
            partitions=int(self._owner),
            restoring=int(self._owner and self._topics is None),
            connected=True,
            problem=self._problem,
            obstacle=slow or self._member.obstacle or self._commits.obstacle(),
            uncommitted=self._commits.uncommitted,
        )

    def run(self) -> None:
        """Run until stopped; no transaction is open between two turns, so there is nothing to finish."""
        if self._open_watch is not None:
            self._check_topics = self._open_watch()
        self._member.join(self._open_consumer())
        while not self._stopping.is_set():
            self._turn()
        self._member.leave()

    def _turn(self) -> None:
        if self._failures.waits:
            self._failures.flush()
        self._check_topics()
        now = self._clock.monotonic()
        wait = min(_IDLE_SECONDS, max(0.0, self._due - now)) if self._owner else _IDLE_SECONDS
        event = self._member.consumer.poll(wait)
        if event is not None and event.error() is not None:
            self._member.classify(event)
        if self._owner and self._clock.monotonic() >= self._due:
            self._advance()
        elif self._member.answered and not self._owner:
            self._commits.committed()

    def _advance(self) -> None:
        """Generate the next batch, unless one is pending, and write it."""
        topics = self._topics = self._topics or self._open_topics()
        self._commits.ask_by(topics.admin)
        if topics.pending is None:
            self._generate(topics)
        batch = topics.pending
        if batch is None:
            return
        started = self._clock.monotonic()
        self._commits.begun(lambda: topics_in(batch))
        result = topics.write(batch)
        now = self._clock.monotonic()
        self._due = now + _GAP_SECONDS
        self.metrics.transaction_ended(result, now - started)
        if result.committed:
            self._commits.committed()
            self._count_values(batch.records)
            self.metrics.rejected(batch.dead_letters, batch.dropped)
            self._failures.add(batch.failures)
        else:
            self._count_abort(result.reason)

    def _generate(self, topics: GeneratorTopics) -> None:
        """Make the next values the pending batch, if the backlog has room and there are any now."""
        if not topics.backlog.has_room and not topics.backlog.refresh():
            self._due = self._clock.monotonic() + _BACKLOG_SECONDS
            return
        most = 1 if self._one_by_one else _MOST_VALUES
        try:
            if self._task is None:
                self._task = self._new_task(topics.position)
            until = self._clock.monotonic() + _MOST_SECONDS
            self._slow.work = self._clock.monotonic(), None
            topics.pending = self._task.collect(most, lambda: self._clock.monotonic() >= until)
        except BaseException as error:  # user code
            self._restart(error)
            return
        finally:
            self._slow.work = None
        if topics.pending is None:
            self._due = self._clock.monotonic() + _IDLE_SECONDS

    def _new_task(self, position: bytes | None) -> GeneratorTask:
        task = self._positions.new_task(position)
        details = {"source": self._generator.source, "anew": position is None, "ended": task.ended}
        _log.info("generator begins", extra=details)
        if not self._positions.complete:
            _log.warning("generator object not saved", extra={**details, "advice": _ADVICE})
        return task

    def _count_values(self, values: int) -> None:
        self._aborts, self._problem = 0, None
        self._one_by_one = max(0, self._one_by_one - values)
        self.metrics.values.count(metrics.INGESTED_RECORDS, values, self._generator.source)
        if self._task is not None and self._task.ended:
            _log.info("generator ended", extra={"source": self._generator.source})

    def _count_abort(self, reason: str) -> None:
        self._aborts += 1
        self._commits.aborted(reason)
        _log.warning("commit aborted", extra={"generator": self.name, "reason": reason})
        if self._aborts > _MOST_ABORTS_IN_A_ROW:
            raise CommitError(f"{self._aborts} commits of {self.name!r} in a row were aborted: {reason}")

    def _restart(self, error: BaseException) -> None:
        """The failure may pass: wait, then go on from the saved position."""
        self._problem = f"the generator of source {self._generator.source!r} failed: {text_of(error, repr)}"
        if self._settings.on_error == "stop":
            raise StopProcessing(self._problem) from error
        now = self._clock.monotonic()
        # Failures in a row double the wait; the row ends when all values have been generated one by one.
        self._backoff = (Backoff() if self._one_by_one == 0 else self._backoff).after_failure(0)
        self._one_by_one = _MOST_VALUES
        self._task = None
        self._due = now + self._backoff.seconds
        details = {"source": self._generator.source, "again_in_seconds": self._backoff.seconds}
        _log.error("generator failed", extra=details, exc_info=error)

    def on_assigned(self, starts: Sequence[Assigned]) -> None:
        self._owner = self._owner or any(tp.partition == PARTITION for tp in starts)

    def on_revoked(self, partitions: list[TopicPartition]) -> None:
        """Stop generating if the partition of ownership is among these."""
        if any(tp.partition == PARTITION for tp in partitions):
            self._owner = False
            self._commits.committed()
            self._topics = self._task = self._problem = None

    on_lost = on_revoked

    def on_rebalanced(self) -> None:
        self.metrics.rebalanced(int(self._owner))
