"""The loop of one generator in one worker: run it where the group says so, and nowhere else.

Rules for whoever edits this file:
1. Whoever owns partition 0 of the topic of positions runs the generator. The transactional id is the same
   for every owner: opening it ends whatever the last one had begun, and only then the position is read.
2. No transaction is open while user code runs.
3. A batch that was aborted is written again as it is, never made a second time.
4. Where user code raises, it begins anew from the position on record, one value at a time.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from wallaroo.clock import Clock
from wallaroo.connectors.generator.record import GeneratorRecord
from wallaroo.connectors.generator.task import PARTITION, GeneratorTask, Positions
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.pacing import Backoff
from wallaroo.errors import CommitError, StopProcessing
from wallaroo.kafka.errors import classify_event
from wallaroo.kafka.offsets import assign, join, leave, unassign
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus
from wallaroo.record import Batch
from wallaroo.serde.codecs import Codecs
from wallaroo.settings import Settings
from wallaroo.topology.ingest import Generator

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
_MOST_VALUES = 1_000
_MOST_SECONDS = 0.1
# The broker is still writing the markers of the last transaction.
_GAP_SECONDS = 0.003
_FULL_SECONDS = 0.2
_MOST_ABORTS_IN_A_ROW = 10
_ADVICE = "only its last value will survive a restart; make it picklable, its class at the top of a module"


@dataclass(frozen=True, slots=True)
class GeneratorClients:
    """How a generator gets at Kafka: `record` is opened whenever this worker becomes the owner."""

    open_consumer: Callable[[], Consumer]
    open_record: Callable[[], GeneratorRecord]


class GeneratorLoop:
    """Runs one generator as long as this worker owns it, until told to stop."""

    def __init__(
        self,
        generator: Generator,
        codecs: Codecs,
        clients: GeneratorClients,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.name = generator.name
        self.metrics = LoopMetrics(generator.name)
        self._generator = generator
        self._codecs = codecs
        self._clients = clients
        self._settings = settings
        self._clock = clock
        self._positions = Positions(generator, codecs)
        self._stopping = threading.Event()
        self._answered = False
        self._owner = False
        self._problem: str | None = None
        self._backoff = Backoff()
        self._careful = 0
        self._aborts = 0
        self._due = self._writable = clock.monotonic()
        self._record: GeneratorRecord | None = None
        self._task: GeneratorTask | None = None
        self._unwritten: Batch | None = None

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        return LoopStatus(
            self.name,
            self._answered,
            partitions=int(self._owner),
            restoring=int(self._owner and self._record is None),
            connected=True,
            problem=self._problem,
        )

    def run(self) -> None:
        """Until stopped; nothing is in hand between two turns, so that there is nothing to finish."""
        self._consumer = self._clients.open_consumer()
        join(self._consumer, self._generator.positions, self._on_assign, self._on_revoke, self._on_revoke)
        while not self._stopping.is_set():
            self._turn()
        leave(self._consumer, lambda: self._owner)

    def _turn(self) -> None:
        now = self._clock.monotonic()
        wait = min(_IDLE_SECONDS, max(0.0, self._due - now)) if self._owner else _IDLE_SECONDS
        event = self._consumer.poll(wait)
        if event is not None and event.error() is not None:
            classify_event(event)
        if self._owner and self._clock.monotonic() >= self._due:
            self._advance()

    def _advance(self) -> None:
        """Make the next batch, and write it as soon as the last transaction has settled."""
        if self._record is None:
            self._record = self._clients.open_record()
        if self._unwritten is None and self._has_room(self._record):
            self._unwritten = self._made(self._record)
        if self._unwritten is not None:
            self._due = self._writable
            if self._clock.monotonic() >= self._writable:
                self._write(self._record, self._unwritten)

    def _has_room(self, record: GeneratorRecord) -> bool:
        if record.backlog.full and not record.backlog.ask():
            self._due = self._clock.monotonic() + _FULL_SECONDS
            return False
        return True

    def _made(self, record: GeneratorRecord) -> Batch | None:
        """The next batch; None where there is none now."""
        try:
            batch = self._collected(record.position)
        except Exception as error:  # code of the user's
            self._begin_again(error)
            return None
        if batch is None:
            self._due = self._clock.monotonic() + _IDLE_SECONDS
        return batch

    def _collected(self, position: bytes | None) -> Batch | None:
        if self._task is None:
            self._task = self._new_task(position)
        most = 1 if self._careful else _MOST_VALUES
        until = self._clock.monotonic() + _MOST_SECONDS
        return self._task.collect(most, lambda: self._clock.monotonic() >= until)

    def _new_task(self, position: bytes | None) -> GeneratorTask:
        begin = self._positions.first() if position is None else position
        task = GeneratorTask(self._generator, self._positions, self._codecs.values, begin)
        details = {"source": self._generator.source, "anew": position is None, "ended": task.ended}
        _log.info("generator begins", extra=details)
        if not self._positions.complete:
            _log.warning("generator object not saved", extra={**details, "advice": _ADVICE})
        return task

    def _write(self, record: GeneratorRecord, batch: Batch) -> None:
        started = self._clock.monotonic()
        landing = record.write(batch)
        now = self._clock.monotonic()
        self._due = self._writable = now + _GAP_SECONDS
        self.metrics.transaction_ended(landing, now - started)
        if not landing.committed:
            self._aborted(landing.reason)
            return
        self._unwritten, self._aborts, self._problem = None, 0, None
        self._careful = max(0, self._careful - batch.records)
        self.metrics.values.count(metrics.INGESTED_RECORDS, batch.records, self._generator.source)
        if self._task is not None and self._task.ended:
            _log.info("generator ended", extra={"source": self._generator.source})

    def _aborted(self, reason: str) -> None:
        self._aborts += 1
        _log.warning("commit aborted", extra={"generator": self.name, "reason": reason})
        if self._aborts > _MOST_ABORTS_IN_A_ROW:
            raise CommitError(f"{self._aborts} commits of {self.name!r} in a row were aborted: {reason}")

    def _begin_again(self, error: Exception) -> None:
        """What failed once may not fail for ever: wait, then go on from the position on record."""
        self._problem = f"the generator of source {self._generator.source!r} failed: {error!r}"
        if self._settings.on_error == "stop":
            raise StopProcessing(self._problem) from error
        now = self._clock.monotonic()
        # Failures in a row double the wait; a batch in between begins the row anew.
        self._backoff = (Backoff() if self._careful == 0 else self._backoff).after_death(0)
        self._careful = _MOST_VALUES
        self._task = None
        self._due = now + self._backoff.seconds
        details = {"source": self._generator.source, "again_in_seconds": self._backoff.seconds}
        _log.error("generator failed", extra=details, exc_info=error)

    def _release(self) -> None:
        self._record = self._task = self._unwritten = self._problem = None

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Nothing is read in the group; what is assigned is paused, so that any offset will do.
        starts = [TopicPartition(tp.topic, tp.partition, 0) for tp in partitions]
        assign(consumer, starts, self._settings)
        self._owner = self._owner or any(tp.partition == PARTITION for tp in partitions)
        self._answered = True
        self.metrics.rebalanced(int(self._owner))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if any(tp.partition == PARTITION for tp in partitions):
            self._owner = False
            self._release()
        unassign(consumer, partitions, self._settings)
        self.metrics.rebalanced(int(self._owner))
