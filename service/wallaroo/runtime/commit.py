"""The one place where a transaction is committed. User code never runs inside it.

Rules for whoever edits this file:
1. A transaction begins and ends inside `write_exactly_once`; it is never open while user code runs.
2. The offsets go with the group's metadata as it was when the batches were collected: that is what
   fences a worker whose partitions have moved on (KIP-447).
3. ABORTED means that nothing of it is visible to readers; anything but that or COMMITTED is raised,
   and the process ends.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from wallaroo.errors import CommitError
from wallaroo.record import Batch
from wallaroo.runtime.retry import persist

_QUEUE_FULL_SECONDS = 0.1
_FLUSH_SECONDS = 20.0
# Longer than any commit that still can succeed: its transaction has long timed out. After a broker's restart
# librdkafka 2.16 may never return from a call of a transaction; the worker then is started again.
_LONGEST_FLIGHT_SECONDS = 30.0


class Outcome(Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"


class Point(StrEnum):
    """Named moments of a commit and a restore, for tests that kill a worker there."""

    BEFORE_BEGIN = "before_begin"
    AFTER_PRODUCE = "after_produce"
    AFTER_OFFSETS = "after_offsets"
    AFTER_COMMIT = "after_commit"
    DURING_RESTORE = "during_restore"


Probe = Callable[[Point], None]


def unprobed(_point: Point) -> None:
    """The probe of every process that is not under test."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is committed together: the batches of one loop's tasks, and the group they belong to."""

    batches: Sequence[Batch]
    group: Any


@dataclass(frozen=True, slots=True)
class Landing:
    """How a commit ended; `reason` says why it was aborted."""

    outcome: Outcome
    reason: str = ""

    @property
    def committed(self) -> bool:
        return self.outcome is Outcome.COMMITTED


class Writer(Protocol):
    def __call__(self, commit: Commit) -> Landing: ...


def exactly_once(producer: Producer, at: Probe) -> Writer:
    """Outputs, changelog and offsets in one transaction."""

    def write(commit: Commit) -> Landing:
        try:
            at(Point.BEFORE_BEGIN)
            producer.begin_transaction()
            _produce(producer, commit.batches)
            at(Point.AFTER_PRODUCE)
            persist(lambda: producer.send_offsets_to_transaction(_offsets(commit), commit.group))
            at(Point.AFTER_OFFSETS)
            persist(producer.commit_transaction)
            at(Point.AFTER_COMMIT)
        except KafkaException as error:
            return _abort(producer, error)
        return Landing(Outcome.COMMITTED)

    return write


def without_offsets(producer: Producer, at: Probe) -> Writer:
    """Outputs and changelog in one transaction, of what did not come from a topic."""

    def write(commit: Commit) -> Landing:
        try:
            at(Point.BEFORE_BEGIN)
            producer.begin_transaction()
            _produce(producer, commit.batches)
            at(Point.AFTER_PRODUCE)
            persist(producer.commit_transaction)
            at(Point.AFTER_COMMIT)
        except KafkaException as error:
            return _abort(producer, error)
        return Landing(Outcome.COMMITTED)

    return write


def at_least_once(producer: Producer, failures: list[KafkaError], at: Probe) -> Writer:
    """Outputs and changelog first, then `offsets_alone`: a crash in between repeats records.

    `failures` is where the producer's delivery callback leaves its errors.
    """

    def write(commit: Commit) -> Landing:
        at(Point.BEFORE_BEGIN)
        failures.clear()
        _produce(producer, commit.batches)
        at(Point.AFTER_PRODUCE)
        unsent = producer.flush(_FLUSH_SECONDS)
        if unsent or failures:
            return Landing(Outcome.ABORTED, f"{unsent} records unsent, errors: {failures[:3]}")
        return Landing(Outcome.COMMITTED)

    return write


def offsets_alone(consumer: Consumer, at: Probe) -> Writer:
    """The offsets of what has been written; to be called in the thread that polls the consumer.

    The client lets another thread wait for a gap between two polls, which may never come.
    """

    def write(commit: Commit) -> Landing:
        at(Point.AFTER_OFFSETS)
        try:
            persist(lambda: consumer.commit(offsets=_offsets(commit), asynchronous=False))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            return Landing(Outcome.ABORTED, str(error))
        at(Point.AFTER_COMMIT)
        return Landing(Outcome.COMMITTED)

    return write


def nothing_more(commit: Commit) -> Landing:
    """The end of a commit that its writer has brought to its end."""
    return Landing(Outcome.COMMITTED)


class Committer:
    """At most one commit in flight, on a thread of its own; `finish` runs in the thread that lands it."""

    def __init__(
        self, write: Writer, finish: Writer = nothing_more, longest_seconds: float = _LONGEST_FLIGHT_SECONDS
    ) -> None:
        self._write = write
        self._finish = finish
        self._longest_seconds = longest_seconds
        self._deadline = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._flight: Future[Landing] | None = None
        self._commit: Commit | None = None

    @property
    def in_flight(self) -> bool:
        return self._flight is not None

    @property
    def landed(self) -> bool:
        """Whether `land` need not wait: the commit has ended, or it never will."""
        return self._flight is not None and (self._flight.done() or time.monotonic() >= self._deadline)

    def start(self, commit: Commit) -> None:
        self._commit = commit
        self._deadline = time.monotonic() + self._longest_seconds
        self._flight = self._thread.submit(self._write, commit)

    def land(self) -> tuple[Commit, Landing] | None:
        """Wait for the commit in flight; its fatal error, if it has one, is raised here.

        Raises CommitError where it does not end in time.
        """
        if self._flight is None or self._commit is None:
            return None
        flight, commit = self._flight, self._commit
        self._flight = self._commit = None
        try:
            landing = flight.result(max(0.0, self._deadline - time.monotonic()))
        except TimeoutError as error:
            raise CommitError(f"a commit has not ended within {self._longest_seconds:g} s") from error
        return commit, self._finish(commit) if landing.committed else landing

    def close(self) -> None:
        self._thread.shutdown(wait=True)


def _offsets(commit: Commit) -> list[TopicPartition]:
    return [TopicPartition(b.partition.topic, b.partition.number, b.next_offset) for b in commit.batches]


def _produce(producer: Producer, batches: Sequence[Batch]) -> None:
    produce = producer.produce
    for batch in batches:
        for output in batch.outputs:
            try:
                produce(*output)
            except BufferError:
                _wait_and_produce(producer, output)
        partition = batch.partition.number
        for changes in batch.changes:
            topic = changes.topic
            for key, value in changes.values.items():
                try:
                    produce(topic, value, key, partition)
                except BufferError:
                    _wait_and_produce(producer, (topic, value, key, partition))


def _wait_and_produce(producer: Producer, output: tuple[Any, ...]) -> None:
    """The client's queue is full: let it drain, as long as it does."""
    while True:
        producer.poll(_QUEUE_FULL_SECONDS)
        try:
            producer.produce(*output)
        except BufferError:
            continue
        return


def _abort(producer: Producer, error: KafkaException) -> Landing:
    """Abort where that mends it; a fatal error (fenced, say) ends the process."""
    cause: KafkaError = error.args[0]
    if cause.fatal():
        raise CommitError(f"the transactional producer cannot go on: {cause.str()}") from error
    persist(producer.abort_transaction)
    return Landing(Outcome.ABORTED, cause.str())
