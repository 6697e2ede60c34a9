"""The one place where a transaction is committed. User code never runs inside it.

Rules for whoever edits this file:
1. A transaction begins and ends within one call of what `exactly_once` or `without_offsets` returns.
2. Two fences keep a replaced worker out. The group's metadata, as it was when the batches were collected,
   goes with the offsets: the broker refuses those of partitions that have moved on (KIP-447). And opening a
   producer fences the one that had its transactional id before.
3. Producers take turns: while the broker still writes the markers of a transaction, it refuses the next one
   of the same producer, whose client then waits for 20 ms.
4. An aborted commit has left nothing that readers can see, and the commit cycle rolls the tasks back.
   Whatever is neither committed nor aborted is raised, and the worker ends.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from wallaroo.engine.hole import MissingResultsError, ended_by_another
from wallaroo.engine.refusals import Explain, is_of_a_record
from wallaroo.errors import CommitError
from wallaroo.kafka.errors import first_missing_permission, is_outdated, missing_permission
from wallaroo.kafka.producers import ProducerTurns, Turn
from wallaroo.kafka.retry import retry
from wallaroo.record import Batch, Partition
from wallaroo.task.limits import Refusal

_FLUSH_SECONDS = 20.0
_FAILURE_SECONDS = 0.2
_ABORT_SECONDS = 0.5
_QUEUE_FULL_SECONDS = 0.1


class ProbePoint(StrEnum):
    """Named moments of a commit and a restore, for tests that kill a worker there."""

    BEFORE_BEGIN = "before_begin"
    AFTER_PRODUCE = "after_produce"
    AFTER_OFFSETS = "after_offsets"
    AFTER_COMMIT = "after_commit"
    DURING_RESTORE = "during_restore"


Probe = Callable[[ProbePoint], None]


def no_probe(_point: ProbePoint) -> None:
    """Do nothing: the probe of every process that is not under test."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is committed together: the batches of one loop's tasks, and the metadata of their group.

    `starts` is what the tasks had committed before.
    """

    batches: Sequence[Batch]
    group: Any
    starts: Mapping[Partition, int] = field(default_factory=dict)

    @property
    def offsets(self) -> list[TopicPartition]:
        return [
            TopicPartition(b.partition.topic, b.partition.number, b.next_offset, b.metadata)
            for b in self.batches
        ]


@dataclass(frozen=True, slots=True)
class CommitResult:
    """How a commit ended; `reason` says why it was aborted, `refusal` what is known if a record was why.

    `is_outdated` says that its group has rebalanced since its metadata was taken.
    """

    committed: bool
    reason: str = ""
    refusal: Refusal | None = None
    is_outdated: bool = False


COMMITTED = CommitResult(committed=True)

Writer = Callable[[Commit], CommitResult]
# What is missing of a commit that failed, as the error to end with; None if nothing is.
FindHole = Callable[[Commit], MissingResultsError | None]


def exactly_once(
    turns: ProducerTurns, probe: Probe, explain: Explain, find_hole: FindHole = lambda _commit: None
) -> Writer:
    """Write outputs, changelog and offsets in one transaction, each of the next producer."""

    def write_transaction(commit: Commit) -> CommitResult:
        turn = turns.take()
        producer = turn.client
        send_offsets = partial(producer.send_offsets_to_transaction, commit.offsets, commit.group)
        try:
            probe(ProbePoint.BEFORE_BEGIN)
            producer.begin_transaction()
            # Offsets first: if a topic refused a record meanwhile, the error of this call would not say so.
            retry(send_offsets)
            probe(ProbePoint.AFTER_OFFSETS)
            try:
                produce_all(producer, commit.batches)
            except KafkaException as error:
                # A failed transaction takes no more records, but does not say why. Sending the offsets does.
                if error.args[0].code() == KafkaError._STATE:  # noqa: SLF001 - the client's public name for it
                    retry(send_offsets)
                raise
            # The flush of a commit waits for records to time out even if the transaction has failed already.
            # So the offsets are sent again until all records are there: sending them says if it has failed.
            while producer.flush(_FAILURE_SECONDS):
                retry(send_offsets)
            probe(ProbePoint.AFTER_PRODUCE)
            retry(producer.commit_transaction)
            probe(ProbePoint.AFTER_COMMIT)
        except KafkaException as error:
            turn.aborted = True
            result = _abort_or_refuse(turn, error, partial(find_hole, commit))
            return replace(result, refusal=explain(commit.batches, error.args[0]))
        return COMMITTED

    return write_transaction


def without_offsets(turns: ProducerTurns, probe: Probe, explain: Explain) -> Writer:
    """Write outputs and changelog in one transaction, of what does not come from a topic."""

    def write_transaction(commit: Commit) -> CommitResult:
        turn = turns.take()
        producer = turn.client
        try:
            probe(ProbePoint.BEFORE_BEGIN)
            producer.begin_transaction()
            produce_all(producer, commit.batches)
            probe(ProbePoint.AFTER_PRODUCE)
            retry(producer.commit_transaction)
            probe(ProbePoint.AFTER_COMMIT)
        except KafkaException as error:
            turn.aborted = True
            result = _abort(turn, error)
            return replace(result, refusal=explain(commit.batches, error.args[0]))
        return COMMITTED

    return write_transaction


def at_least_once(producer: Producer, failures: list[KafkaError], probe: Probe, explain: Explain) -> Writer:
    """Write outputs and changelog, for `commit_offsets` to follow: a crash in between repeats records.

    `failures` is where the producer's delivery callback leaves its errors.
    """

    def write_and_flush(commit: Commit) -> CommitResult:
        probe(ProbePoint.BEFORE_BEGIN)
        failures.clear()
        try:
            produce_all(producer, commit.batches)
        except KafkaException as error:
            failures.append(error.args[0])
        probe(ProbePoint.AFTER_PRODUCE)
        unsent = producer.flush(_FLUSH_SECONDS)
        if refusal := first_missing_permission(failures):
            raise refusal
        if unsent or failures:
            reason = f"{unsent} records unsent, errors: {failures[:3]}"
            refused = next(filter(is_of_a_record, failures), None)
            return CommitResult(False, reason, None if refused is None else explain(commit.batches, refused))
        return COMMITTED

    return write_and_flush


def commit_offsets(consumer: Consumer, probe: Probe) -> Writer:
    """Commit the offsets of what has been written; to be called in the thread that polls the consumer.

    The client lets another thread wait for a gap between two polls, which may never come.
    """

    def commit_to_group(commit: Commit) -> CommitResult:
        probe(ProbePoint.AFTER_OFFSETS)
        try:
            retry(lambda: consumer.commit(offsets=commit.offsets, asynchronous=False))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            if refusal := missing_permission(error):
                raise refusal from error
            outdated = is_outdated(error.args[0])
            return CommitResult(committed=False, reason=str(error), is_outdated=outdated)
        probe(ProbePoint.AFTER_COMMIT)
        return COMMITTED

    return commit_to_group


def produce_all(producer: Producer, batches: Sequence[Batch]) -> None:
    """Hand everything over, in order; KafkaException if the client refuses a record as too large."""
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
    """Produce as soon as the client's queue, which is full, has drained a little."""
    while True:
        producer.poll(_QUEUE_FULL_SECONDS)
        with suppress(BufferError):
            producer.produce(*output)
            return


def _abort_or_refuse(
    turn: Turn, error: KafkaException, find_hole: Callable[[], MissingResultsError | None]
) -> CommitResult:
    """Abort; MissingResultsError if the group has committed the offsets all the same."""
    try:
        return _abort(turn, error)
    except CommitError as failure:
        cause = failure.__cause__
        if isinstance(cause, KafkaException) and ended_by_another(cause.args[0]) and (hole := find_hole()):
            raise hole from failure
        raise


def _abort(turn: Turn, error: KafkaException) -> CommitResult:
    """Abort if that helps; a fatal error (fenced, say) or a lack of permission ends the process."""
    cause: KafkaError = error.args[0]
    if cause.fatal():
        raise _fatal(error) from error
    # An abort purges the client's queue and waits until it is empty. A record refused meanwhile may be
    # queued again and stay until the broker fences the producer. So aborts are short, and each purges again.
    try:
        retry(partial(turn.client.abort_transaction, _ABORT_SECONDS))
    except KafkaException as failure:
        raise _fatal(failure) from failure
    refusal = missing_permission(error, turn.refused_topics)
    if refusal is not None:
        raise refusal from error
    return CommitResult(committed=False, reason=cause.str(), is_outdated=is_outdated(cause))


def _fatal(error: KafkaException) -> CommitError:
    cause: KafkaError = error.args[0]
    why = _WHY_FENCED if cause.code() in _OF_FENCING else ""
    return CommitError(f"the transactional producer cannot go on: {cause.str()}{why}")


_OF_FENCING = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)  # noqa: SLF001 - the client's public name
_WHY_FENCED = (
    "; that is, another process has opened a producer of this id, or Kafka has ended its transaction, "
    "which was open for longer than transaction_timeout_ms"
)
