"""Which records of an aborted commit the broker refuses: asked of the broker, in ever smaller portions.

Rules for whoever edits this file:
1. A broker refuses whole batches, and what it says of each record differs by version: a record is to blame
   only if it was refused when it came alone.
2. What is sent here to find out is aborted; at least once, what is accepted is written once more.
3. Errors that concern a topic, a client or the cluster blame nobody.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from wallaroo.clock import SystemClock
from wallaroo.kafka.clients import largest_record
from wallaroo.kafka.retry import retry
from wallaroo.kafka.topic_config import topic_properties
from wallaroo.kafka.topics import written_topics
from wallaroo.record import Batch, Cause, Output
from wallaroo.settings import Settings
from wallaroo.task.context import ApplicationContext
from wallaroo.task.limits import RecordLimits, Refusal, RefusedRecord, limits_of, timestamp_of
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

_PORTION = 1_000
_PARTS = 10
# So many are sought at once; the others are found in the commits that follow.
_ENOUGH = 20
_LONGEST_SECONDS = 8.0
_FLUSH_SECONDS = 0.02
_FLUSHES = 250
_ABORT_SECONDS = 0.5
_INIT_SECONDS = 30.0
_QUEUE_FULL_SECONDS = 0.1

# The protocol's errors of one record, or of its batch: the same again would be refused again.
OF_A_RECORD = frozenset(
    (
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError.POLICY_VIOLATION,
    )
)
_OF_A_SIZE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
# What brokers also say of a record (before Kafka 2.4 of one without a key; when they fail to compress one),
# and of much else: worth asking for the limits, and no proof.
_PERHAPS_OF_A_RECORD = frozenset((KafkaError.INVALID_MSG, KafkaError.UNKNOWN))

Explain = Callable[[Sequence[Batch], KafkaError], Refusal | None]
AskLimits = Callable[[], RecordLimits]
# Sends outputs; returns the errors of a record among what failed, by index: none if all were accepted.
Send = Callable[[Sequence[Output]], Mapping[int, KafkaError]]
OpenSend = Callable[[], Send]


class _Sent(NamedTuple):
    task: int
    output: Output
    cause: Cause | None


def ask_limits(admin: AdminClient, settings: Settings, topics: Iterable[str]) -> RecordLimits:
    """Ask what each topic takes now."""
    found = topic_properties(admin, topics, settings)
    known = {topic: limits_of(properties) for topic, properties in found.items()}
    return RecordLimits(largest_record(settings), known, SystemClock().now_ms)


def ask_limits_of(
    sub: SubTopology, context: ApplicationContext, settings: Settings, admin: AdminClient
) -> RecordLimits:
    """Ask what each topic takes that a sub-topology writes, and make the record batches fit from now on."""
    topics = written_topics(sub, context.dead_letters)
    limits = ask_limits(admin, settings, topics)
    context.max_bytes.update({topic: limits.max_bytes(topic) for topic in topics})
    return limits


def is_of_a_record(error: KafkaError) -> bool:
    """Whether this may be the refusal of one record."""
    return error.code() in OF_A_RECORD or error.code() in _PERHAPS_OF_A_RECORD


def refusal_of(
    limits_now: AskLimits, open_send: OpenSend, batches: Sequence[Batch], error: KafkaError
) -> Refusal | None:
    """What is known about the refusal of a commit; None if no record is to blame for the error.

    Records are looked for only in what was replayed: of the rest it is not known what led to it.
    """
    if not is_of_a_record(error):
        return None
    limits = limits_now()
    if error.code() not in OF_A_RECORD:
        return Refusal(limits) if any(map(limits.are_exceeded, batches)) else None
    replayed = [sent for batch in batches if batch.causes is not None for sent in _sent(batch)]
    found = find_refused(replayed, open_send()) if replayed else []
    times = [sent.output for sent, why in found if why.code() == KafkaError.INVALID_TIMESTAMP]
    sizes = [sent.output for sent, why in found if why.code() in _OF_A_SIZE]
    records = [_refused(sent, why) for sent, why in found]
    if records:
        _log.warning("records refused", extra={"found": len(records), "first": records[0].why})
    return Refusal(limits.after_refused_times(times).after_refused_sizes(sizes), records)


def find_refused(sent: Sequence[_Sent], send: Send) -> list[tuple[_Sent, KafkaError]]:
    """Some of those that are refused when they come alone, each with its error."""
    until = time.monotonic() + _LONGEST_SECONDS
    found: list[tuple[_Sent, KafkaError]] = []
    for portion in _parts(sent, _PORTION):
        for each in _narrowed(portion, send):
            found.append(each)
            if len(found) >= _ENOUGH or time.monotonic() > until:
                return found
        if found or time.monotonic() > until:
            return found
    return found


def _narrowed(sent: Sequence[_Sent], send: Send) -> Iterator[tuple[_Sent, KafkaError]]:
    errors = send([each.output for each in sent])
    if len(sent) == 1:
        yield from ((sent[0], error) for error in errors.values())
        return
    suspects = [sent[index] for index in sorted(errors)]
    for part in _parts(suspects, max(1, len(suspects) // _PARTS)):
        yield from _narrowed(part, send)


def _parts(sent: Sequence[_Sent], size: int) -> Iterator[Sequence[_Sent]]:
    return (sent[start : start + size] for start in range(0, len(sent), size))


def _sent(batch: Batch) -> Iterator[_Sent]:
    number, causes = batch.partition.number, batch.causes
    outputs, changed = ({}, {}) if causes is None else (causes.outputs, causes.changes)
    for index, output in enumerate(batch.outputs):
        yield _Sent(number, output, outputs.get(index))
    for changes in batch.changes:
        for key, value in changes.values.items():
            output = (changes.topic, value, key, number)
            yield _Sent(number, output, changed.get((changes.topic, key)))


def _refused(sent: _Sent, error: KafkaError) -> RefusedRecord:
    # The time of what gets the present as its time is this machine's, and no record's.
    clock = error.code() == KafkaError.INVALID_TIMESTAMP and timestamp_of(sent.output) is None
    return RefusedRecord(
        sent.task, sent.output, None if clock else sent.cause, KafkaError(error.code()).str()
    )


def _initialized(producer: Producer) -> Producer:
    retry(partial(producer.init_transactions, _INIT_SECONDS))
    return producer


def in_aborted_transactions(open_producer: Callable[[str], Producer], transactional_id: str) -> OpenSend:
    """Send in transactions that are aborted whatever comes of them.

    `open_producer` takes the id of one that finds out: there are two, since the broker is busy with what has
    just been aborted.

    After a refusal a client counts on as if there had been none, and the broker refuses what comes next for
    that: so another producer is opened.
    """
    ids = cycle((f"{transactional_id}-c", f"{transactional_id}-d"))

    def open_send() -> Send:
        opened: list[Producer] = []

        def send_and_abort(outputs: Sequence[Output]) -> Mapping[int, KafkaError]:
            producer = opened.pop() if opened else _initialized(open_producer(next(ids)))
            producer.begin_transaction()
            failed = _send(producer, outputs)
            retry(partial(producer.abort_transaction, _ABORT_SECONDS))
            if not failed:
                opened.append(producer)
            return _of_a_record(failed)

        return send_and_abort

    return open_send


def for_good(producer: Producer) -> OpenSend:
    """Send at least once: what is accepted stays written."""

    def send(outputs: Sequence[Output]) -> Mapping[int, KafkaError]:
        failed = _send(producer, outputs)
        # Nothing of it may follow what is written next.
        producer.flush(_LONGEST_SECONDS)
        return _of_a_record(failed)

    return lambda: send


def _of_a_record(failed: Mapping[int, KafkaError]) -> Mapping[int, KafkaError]:
    return {index: error for index, error in failed.items() if error.code() in OF_A_RECORD}


def _send(producer: Producer, outputs: Sequence[Output]) -> Mapping[int, KafkaError]:
    """Send until all are accepted or something has failed; the errors by index."""
    failed: dict[int, KafkaError] = {}

    def note(index: int, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failed[index] = error

    for index, output in enumerate(outputs):
        try:
            _produce(producer, output, partial(note, index))
        except KafkaException as error:
            failed[index] = error.args[0]
            break
    for _ in range(_FLUSHES):
        unsent = producer.flush(_FLUSH_SECONDS)
        if failed or not unsent:
            return failed
    return failed or {-1: KafkaError(KafkaError._TIMED_OUT)}  # noqa: SLF001 - the client's public name for it


def _produce(producer: Producer, output: Output, on_delivery: Callable[..., None]) -> None:
    topic, value, key, partition, *rest = output
    while True:
        try:
            producer.produce(topic, value, key, partition, on_delivery, None, *rest[2:])
        except BufferError:
            producer.poll(_QUEUE_FULL_SECONDS)
        else:
            return
