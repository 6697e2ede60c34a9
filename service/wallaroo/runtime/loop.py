"""The loop of one sub-topology in one worker: poll, process, commit.

Rules for whoever edits this file:
1. One thread runs all of it, the group's callbacks included; only the commit itself waits elsewhere.
2. Records in hand of a task that has been rewound meanwhile are dropped: they will be fetched again.
3. A commit starts as soon as the input has run dry, and under load by interval; while one is in flight
   the next batch grows, up to `commit_every` records.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition

from wallaroo.clock import Clock
from wallaroo.errors import KafkaSetupError
from wallaroo.observability.health import LoopStatus
from wallaroo.processing.task import Task
from wallaroo.record import Batch, Rewind
from wallaroo.runtime.assignment import Assignment
from wallaroo.runtime.commit import Commit, Committer
from wallaroo.runtime.events import Event, understand
from wallaroo.runtime.measure import LoopMeasures
from wallaroo.runtime.pacing import Pace
from wallaroo.runtime.restore import Restorer
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
# While there is something to commit or to land, the input is waited for no longer than this.
_BUSY_SECONDS = 0.002
_LOOK_SECONDS = 1.0
_MOST_ABORTS_IN_A_ROW = 10


@dataclass(frozen=True, slots=True)
class Clients:
    """A loop's ways to Kafka."""

    consumer: Consumer
    committer: Committer
    restorer: Restorer


class Loop:
    """Runs the tasks of one sub-topology until told to stop; `open_clients` is called in its own thread."""

    def __init__(
        self,
        sub: SubTopology,
        settings: Settings,
        assignment: Assignment,
        open_clients: Callable[[], Clients],
        clock: Clock,
    ) -> None:
        self.name = sub.name
        self.measures = LoopMeasures(sub.name)
        self.assignment = assignment
        self._topic = sub.input.topic
        self._settings = settings
        self._clock = clock
        self._open_clients = open_clients
        self._stopping = threading.Event()
        self._rewound: set[int] = set()
        self._aborts = 0
        self._pending = 0
        now = self._looked = clock.monotonic()
        self._pace = Pace(settings.commit_interval_ms / 1000, settings.commit_every, started=now, landed=now)
        self._ends: dict[int, int] = {}

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        restoring, running = len(self.assignment.restoring), len(self.assignment.tasks)
        return LoopStatus(
            self.name, self.assignment.answered, restoring + running, restoring, connected=True, problem=None
        )

    def run(self) -> None:
        """Until stopped; then commit what has been done and leave."""
        clients = self._open_clients()
        self._consumer, self._committer = clients.consumer, clients.committer
        self._restorer = clients.restorer
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        while not self._stopping.is_set():
            self._turn()
        self._commit_now()
        self._consumer.close()
        self._committer.close()

    def _turn(self) -> None:
        for restoration in self.assignment.admit(self._consumer):
            self.measures.restored(restoration)
        self._rewound.clear()
        messages = self._poll()
        for task, records in self._slices(messages):
            if task.partition.number not in self._rewound:
                self._process(task, records)
        self._commit_when_due(dry=len(messages) < self._settings.consume_batch)
        self._look_when_due()

    def _poll(self) -> list[Message]:
        """Whatever is there, and if nothing is, the first that comes."""
        messages = self._consumer.consume(self._settings.consume_batch, 0)
        if messages:
            return messages
        busy = self._pending or self._committer.in_flight
        first = self._consumer.poll(_BUSY_SECONDS if busy else _IDLE_SECONDS)
        return [] if first is None else [first, *self._consumer.consume(self._settings.consume_batch - 1, 0)]

    def _slices(self, messages: list[Message]) -> Iterator[tuple[Task, list[Message]]]:
        if [message for message in messages if message.error() is not None]:
            for event in [message for message in messages if message.error() is not None]:
                self._hear(event)
            messages = [message for message in messages if message.error() is None]
        numbers = {message.partition() for message in messages}
        for number in numbers:
            task = self.assignment.tasks.get(number or 0)
            if task is not None:
                alone = len(numbers) == 1
                yield task, messages if alone else [m for m in messages if m.partition() == number]

    def _process(self, task: Task, records: list[Message]) -> None:
        started = self._clock.monotonic()
        rewind = task.process(records)
        self.measures.slice_done(task, len(records), self._clock.monotonic() - started)
        if rewind is not None:
            self._rewind(task, rewind)

    def _rewind(self, task: Task, rewind: Rewind) -> None:
        """User code failed: back to the last commit, and through the same records carefully."""
        self._land()
        _log.info("rewinding", extra={"partition": rewind.partition, "failed_offset": rewind.failed_offset})
        self._seek(task, task.rollback())

    def _seek(self, task: Task, offset: int) -> None:
        self._rewound.add(task.partition.number)
        self._consumer.seek(TopicPartition(task.partition.topic, task.partition.number, offset))

    def _commit_when_due(self, *, dry: bool) -> None:
        if self._committer.landed:
            self._land()
        self._pending = sum(task.pending_records for task in self.assignment.tasks.values())
        in_flight = self._committer.in_flight
        if self._pace.due(self._clock.monotonic(), self._pending, dry=dry, in_flight=in_flight):
            self._land()
            self._start_commit()

    def _commit_now(self) -> None:
        self._land()
        self._start_commit()
        self._land()

    def _start_commit(self) -> None:
        batches: list[Batch] = []
        for task in list(self.assignment.tasks.values()):
            collected = task.collect()
            if isinstance(collected, Rewind):
                self._rewind(task, collected)
            elif collected is not None:
                batches.append(collected)
        self._pace.started = self._clock.monotonic()
        self._pending = 0
        if batches:
            self._committer.start(Commit(batches, self._consumer.consumer_group_metadata()))

    def _land(self) -> None:
        """Wait for the commit in flight, and tell its tasks how it ended."""
        landed = self._committer.land()
        if landed is None:
            return
        commit, landing = landed
        self._pace.landed = self._clock.monotonic()
        seconds = self._pace.landed - self._pace.started
        self.measures.commit_landed(landing, commit.batches, seconds, self._clock.now_ms())
        if not landing.committed:
            self._roll_back(landing.reason)
            return
        self._aborts = 0
        for batch in commit.batches:
            task = self.assignment.tasks.get(batch.partition.number)
            if task is not None:
                task.committed(batch)

    def _roll_back(self, reason: str) -> None:
        self._aborts += 1
        _log.warning("commit aborted", extra={"sub_topology": self.name, "reason": reason})
        if self._aborts > _MOST_ABORTS_IN_A_ROW:
            raise KafkaSetupError(f"{self._aborts} commits of {self.name!r} in a row were aborted: {reason}")
        for task in self.assignment.tasks.values():
            self._seek(task, task.rollback())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions assigned", partitions)
        self.assignment.assign(consumer, partitions, self._restorer)
        self.measures.rebalanced(self.status().partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions revoked", partitions)
        self._commit_now()
        self._give_up(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions lost", partitions)
        self._give_up(consumer, partitions)
        self._land()

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.assignment.drop(consumer, partitions)
        self.measures.revoked(partitions)
        self.measures.rebalanced(self.status().partitions)

    def _log_rebalance(self, event: str, partitions: list[TopicPartition]) -> None:
        numbers = sorted(tp.partition for tp in partitions)
        _log.info(event, extra={"sub_topology": self.name, "topic": self._topic, "partitions": numbers})

    def _hear(self, message: Message) -> None:
        match understand(message):
            case Event.END_OF_PARTITION:
                self._ends[message.partition() or 0] = message.offset() or 0
            case Event.OUT_OF_RANGE:
                self._out_of_range(message.partition() or 0)

    def _out_of_range(self, number: int) -> None:
        task = self.assignment.tasks.get(number)
        if task is None:
            return
        at = TopicPartition(self._topic, number, task.next_offset)
        low, high = self._consumer.get_watermark_offsets(at)
        self._commit_now()
        task.move_to(self.assignment.out_of_range(at, low, high))
        self._seek(task, task.next_offset)

    def _look_when_due(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self.measures.restoring(self.assignment.restoring.values())
            for number, task in self.assignment.tasks.items():
                self.measures.look_at(self._consumer, task, self._ends.get(number, 0))
