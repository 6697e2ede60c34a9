"""The one place where a transaction is committed. User code never runs inside it.

Rules for whoever edits this file:
1. A transaction begins and ends inside what `exactly_once` returns; it is never open while user code runs.
2. The offsets go with the group's metadata as it was when the batches were collected: that is what
   fences a worker whose partitions have moved on (KIP-447).
3. Transactions that follow each other are of producers that take turns: a broker that is still writing the
   markers of one refuses the next one of the same producer, whose client then waits for 20 ms.
4. ABORTED means that nothing of it is visible to readers; anything but that or COMMITTED is raised,
   and the process ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import partial
from itertools import cycle
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from wallaroo.engine.produce import produce_all
from wallaroo.errors import CommitError
from wallaroo.kafka.forbidden import first_forbidden, forbidden
from wallaroo.kafka.retry import persist
from wallaroo.record import Batch
from wallaroo.task.record_size import RecordSizeLimits

_FLUSH_SECONDS = 20.0
_FAILURE_SECONDS = 0.2
_ABORT_SECONDS = 0.5


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
class CommitResult:
    """How a commit ended; `reason` says why it was aborted, `limits` what sizes fit if that was why."""

    outcome: Outcome
    reason: str = ""
    limits: RecordSizeLimits | None = None

    @property
    def committed(self) -> bool:
        return self.outcome is Outcome.COMMITTED


AskLimits = Callable[[], RecordSizeLimits]


class Writer(Protocol):
    def __call__(self, commit: Commit) -> CommitResult: ...


def exactly_once(producer: Producer, at: Probe, ask_limits: AskLimits) -> Writer:
    """Outputs, changelog and offsets in one transaction."""

    def write(commit: Commit) -> CommitResult:
        try:
            at(Point.BEFORE_BEGIN)
            producer.begin_transaction()
            # First: what a topic refuses of records would end this call with an error that does not say so.
            _send_offsets(producer, commit)
            at(Point.AFTER_OFFSETS)
            _hand_over(producer, commit)
            _flush(producer, commit)
            at(Point.AFTER_PRODUCE)
            persist(producer.commit_transaction)
            at(Point.AFTER_COMMIT)
        except KafkaException as error:
            return _aborted(producer, error, ask_limits)
        return CommitResult(Outcome.COMMITTED)

    return write


def in_turn(writers: Sequence[Writer]) -> Writer:
    """Each commit by the next of them, and none before the one before it has landed."""
    turns = cycle(writers)

    def write(commit: Commit) -> CommitResult:
        return next(turns)(commit)

    return write


def without_offsets(producer: Producer, at: Probe) -> Writer:
    """Outputs and changelog in one transaction, of what did not come from a topic."""

    def write(commit: Commit) -> CommitResult:
        try:
            at(Point.BEFORE_BEGIN)
            producer.begin_transaction()
            produce_all(producer, commit.batches)
            at(Point.AFTER_PRODUCE)
            persist(producer.commit_transaction)
            at(Point.AFTER_COMMIT)
        except KafkaException as error:
            return _abort(producer, error)
        return CommitResult(Outcome.COMMITTED)

    return write


def at_least_once(producer: Producer, failures: list[KafkaError], at: Probe, ask_limits: AskLimits) -> Writer:
    """Outputs and changelog first, then `offsets_alone`: a crash in between repeats records.

    `failures` is where the producer's delivery callback leaves its errors.
    """

    def write(commit: Commit) -> CommitResult:
        at(Point.BEFORE_BEGIN)
        failures.clear()
        try:
            produce_all(producer, commit.batches)
        except KafkaException as error:
            failures.append(error.args[0])
        at(Point.AFTER_PRODUCE)
        unsent = producer.flush(_FLUSH_SECONDS)
        if refusal := first_forbidden(failures):
            raise refusal
        if unsent or failures:
            limits = ask_limits() if any(map(_is_for_size, failures)) else None
            return CommitResult(Outcome.ABORTED, f"{unsent} records unsent, errors: {failures[:3]}", limits)
        return CommitResult(Outcome.COMMITTED)

    return write


def offsets_alone(consumer: Consumer, at: Probe) -> Writer:
    """The offsets of what has been written; to be called in the thread that polls the consumer.

    The client lets another thread wait for a gap between two polls, which may never come.
    """

    def write(commit: Commit) -> CommitResult:
        at(Point.AFTER_OFFSETS)
        try:
            persist(lambda: consumer.commit(offsets=_offsets(commit), asynchronous=False))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            return CommitResult(Outcome.ABORTED, str(error))
        at(Point.AFTER_COMMIT)
        return CommitResult(Outcome.COMMITTED)

    return write


def nothing_more(commit: Commit) -> CommitResult:
    """The end of a commit that its writer has brought to its end."""
    return CommitResult(Outcome.COMMITTED)


def _offsets(commit: Commit) -> list[TopicPartition]:
    return [TopicPartition(b.partition.topic, b.partition.number, b.next_offset) for b in commit.batches]


def _send_offsets(producer: Producer, commit: Commit) -> None:
    persist(lambda: producer.send_offsets_to_transaction(_offsets(commit), commit.group))


def _hand_over(producer: Producer, commit: Commit) -> None:
    """A transaction that has failed takes no more records without saying why; sending the offsets says it."""
    try:
        produce_all(producer, commit.batches)
    except KafkaException as error:
        if error.args[0].code() == KafkaError._STATE:  # noqa: SLF001 - the client's public name for it
            _send_offsets(producer, commit)
        raise


def _flush(producer: Producer, commit: Commit) -> None:
    """In the flush of a commit, a transaction that has failed already waits for records to time out.

    So the offsets are sent again and again until all records are there: sending them says whether it has.
    """
    while producer.flush(_FAILURE_SECONDS):
        _send_offsets(producer, commit)


def _abort(producer: Producer, error: KafkaException) -> CommitResult:
    """Abort where that mends it; a fatal error (fenced, say) or a lack of permission ends the process."""
    cause: KafkaError = error.args[0]
    if cause.fatal():
        raise _useless(error) from error
    # The client empties its queue and waits until it is empty. What the broker refuses meanwhile may be in it
    # again, and would stay until the broker gives the transaction up, and with it the producer. So: again.
    try:
        persist(partial(producer.abort_transaction, _ABORT_SECONDS))
    except KafkaException as hopeless:
        raise _useless(hopeless) from hopeless
    refusal = forbidden(error)
    if refusal is not None:
        raise refusal from error
    return CommitResult(Outcome.ABORTED, cause.str())


def _useless(error: KafkaException) -> CommitError:
    return CommitError(f"the transactional producer cannot go on: {error.args[0].str()}")


def _aborted(producer: Producer, error: KafkaException, ask_limits: AskLimits) -> CommitResult:
    landing = _abort(producer, error)
    return replace(landing, limits=ask_limits()) if _is_for_size(error.args[0]) else landing


def _is_for_size(error: KafkaError) -> bool:
    return error.code() == KafkaError.MSG_SIZE_TOO_LARGE
