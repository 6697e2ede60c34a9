"""The loop of one sub-topology in one worker: poll, process, commit.

Rules for whoever edits this file:
1. One thread runs all of it, the group's callbacks included; only the commit itself waits elsewhere.
2. Records in hand of a task that has been rewound meanwhile are dropped, and its consumer is sent back once
   more: the seek may have been in the middle of the poll, some of them fetched before it, some after.
"""

import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.assignment import Assignment
from wallaroo.engine.commit_cycle import CommitCycle
from wallaroo.engine.committer import Committer
from wallaroo.engine.end_offsets import EndOffsets
from wallaroo.engine.metrics import LoopMeasures
from wallaroo.engine.pacing import ListSize, Pace
from wallaroo.engine.restore import Restorer
from wallaroo.kafka.errors import Event, understand
from wallaroo.kafka.offsets import join, leave
from wallaroo.observability.health import LoopStatus
from wallaroo.settings import Settings
from wallaroo.task.record_batch import expand_batches
from wallaroo.task.task import Task
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
# While a commit is in flight the input is looked at as often as this.
_FLIGHT_SECONDS = 0.005
_LOOK_SECONDS = 1.0
_STUCK_SECONDS = 240
# Behind a hop a message may hold a hundred records.
_FIRST_PACKS = 10


@dataclass(frozen=True, slots=True)
class Clients:
    """A loop's ways to Kafka."""

    consumer: Consumer
    committer: Committer
    restorer: Restorer
    admin: AdminClient


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
        self._hop = not sub.input.is_source
        self._list_size = ListSize(settings.consume_batch, _FIRST_PACKS if self._hop else 0)
        self._processing_since: float | None = None
        self._looked = clock.monotonic()
        self._ends = EndOffsets(self._topic, clock)

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        return LoopStatus(
            self.name,
            self.assignment.answered,
            len(self.assignment),
            len(self.assignment.restoring),
            connected=True,
            problem=self._problem(),
        )

    def _problem(self) -> str | None:
        since = self._processing_since
        if since is None or self._clock.monotonic() - since < _STUCK_SECONDS:
            return None
        return f"user code has been running on one list of records for over {_STUCK_SECONDS} s"

    def run(self) -> None:
        """Until stopped; then commit what has been done and leave."""
        clients = self._open_clients()
        self._consumer, self._restorer, self._admin = clients.consumer, clients.restorer, clients.admin
        now, settings = self._clock.monotonic(), self._settings
        interval, linger = settings.commit_interval_ms / 1000, settings.commit_linger_ms / 1000
        pace = Pace(interval, linger, settings.commit_every, started=now, landed=now)
        tasks, committer = self.assignment.tasks, clients.committer
        self._cycle = CommitCycle(tasks, committer, pace, self.measures, self._seek, self._clock)
        join(self._consumer, self._topic, self._on_assign, self._on_revoke, self._on_lost)
        while not self._stopping.is_set():
            self._turn()
        self._commit_now()
        leave(self._consumer, lambda: bool(self.assignment))
        self._cycle.close()

    def _turn(self) -> None:
        for restoration in self.assignment.admit(self._consumer):
            self.measures.restored(restoration)
        self._rewound.clear()
        size = self._list_size.value
        messages = self._poll(size)
        for task, its_own in self._slices(messages):
            if task.partition.number in self._rewound:
                self._seek(task, task.next_offset)
            else:
                self._process(task, its_own)
        dry = len(messages) < size
        self._ends.look(self.assignment.tasks.values(), self._admin, self._cycle.rewind)
        self._cycle.when_due(self._consumer.consumer_group_metadata, dry=dry)
        self._look_when_due()

    def _poll(self, size: int) -> list[Message]:
        """Whatever is there; if nothing is, what has come until there is something to do."""
        messages = self._consumer.consume(size, 0)
        if messages:
            return messages
        if self._cycle.in_flight:
            self._cycle.wait(_FLIGHT_SECONDS)
            return self._consumer.consume(size, 0)
        first = self._consumer.poll(self._poll_timeout())
        return [] if first is None else [first, *self._consumer.consume(size - 1, 0)]

    def _poll_timeout(self) -> float:
        rest = self._cycle.rest()
        # The client counts in whole milliseconds, and rounds down.
        return _IDLE_SECONDS if rest is None else math.ceil(rest * 1000) / 1000

    def _slices(self, messages: list[Message]) -> Iterator[tuple[Task, list[Message]]]:
        """The records by partition; what is no record is heard first."""
        events = [message for message in messages if message.error() is not None]
        if events:
            for event in events:
                self._hear(event)
            messages = [message for message in messages if message.error() is None]
        numbers = {message.partition() for message in messages}
        alone = len(numbers) == 1
        for number in numbers:
            task = self.assignment.tasks.get(number or 0)
            if task is not None:
                yield task, messages if alone else [m for m in messages if m.partition() == number]

    def _process(self, task: Task, messages: list[Message]) -> None:
        records = expand_batches(messages, task.partition) if self._hop else messages
        started = self._clock.monotonic()
        self._processing_since = started
        rewind = task.process(records)
        self._processing_since = None
        seconds = self._clock.monotonic() - started
        self.measures.slice_done(task, len(messages), len(records), seconds)
        self._list_size.took(len(messages), len(records), seconds)
        if rewind is not None:
            self._cycle.rewind(task, rewind)

    def _seek(self, task: Task, offset: int) -> None:
        self._rewound.add(task.partition.number)
        self._ends.forget(task.partition.number)
        self._consumer.seek(TopicPartition(task.partition.topic, task.partition.number, offset))

    def _commit_now(self) -> None:
        self._cycle.now(self._consumer.consumer_group_metadata())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions assigned", partitions)
        for tp in partitions:
            self._ends.forget(tp.partition)
        self.assignment.assign(consumer, partitions, self._restorer)
        self.measures.rebalanced(len(self.assignment))
        self._wake()

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions revoked", partitions)
        self._commit_now()
        self._give_up(consumer, partitions)
        self._wake()

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions lost", partitions)
        self._give_up(consumer, partitions)
        self._cycle.land()

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.assignment.drop(consumer, partitions)
        self.measures.revoked(partitions)
        self.measures.rebalanced(len(self.assignment))

    def _wake(self) -> None:
        """A rebalance pauses all partitions in the client, which by itself looks again only once a second."""
        for task in self.assignment.tasks.values():
            self._seek(task, task.next_offset)

    def _log_rebalance(self, event: str, partitions: list[TopicPartition]) -> None:
        numbers = sorted(tp.partition for tp in partitions)
        _log.info(event, extra={"sub_topology": self.name, "topic": self._topic, "partitions": numbers})

    def _hear(self, message: Message) -> None:
        match understand(message):
            case Event.END_OF_PARTITION:
                self._ends.reached(message.partition() or 0, message.offset() or 0)
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
            now_ms = self._clock.now_ms()
            for number, task in self.assignment.tasks.items():
                self.measures.look_at(self._consumer, task, self._ends.last(number), now_ms)
