"""The one place where dead letters are handled: what is sent and the note of it are one transaction.

Rules for whoever edits this file:
1. The producer is opened before the notes are read: it fences whoever handles dead letters at the same time,
   and what that one has committed is read.
2. A transaction carries the records of a portion and the notes of their dead letters. So a record is sent
   exactly when it is noted, and whoever begins again goes on behind the last portion.
3. Records are sent in the order of their sources.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from wallaroo.admin.cluster import Reached, topics_of
from wallaroo.admin.dead_letter_topic import read_register
from wallaroo.admin.dead_letters import (
    Handled,
    Letter,
    Record,
    ReplayPlan,
    Sending,
    kept_record,
    marked,
    plan_replay,
    read_record,
)
from wallaroo.admin.records import fetch
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import replay_transactions
from wallaroo.kafka.producers import ProducerTurns, Turn
from wallaroo.kafka.retry import retry
from wallaroo.kafka.topics import create_topics, handled_topic
from wallaroo.record import ANY_PARTITION
from wallaroo.task.origin import Source
from wallaroo.topology.model import Topology

PORTION = 100
_FLUSH_SECONDS = 30.0
_ABORT_SECONDS = 5.0
_CREATED_SECONDS = 15.0
_PAUSE_SECONDS = 0.1
# What the client says of the other records of a transaction in which one was refused.
_FOR_OTHERS = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - its public names for it


@dataclass(slots=True)
class Outcome:
    """What a replay has sent, and the dead letters that it cannot send, with the reason."""

    sent: list[Sending] = field(default_factory=list)
    refused: list[tuple[Letter, str]] = field(default_factory=list)


def replay(
    cluster: Reached,
    topology: Topology,
    letters: Sequence[Letter],
    now_ms: Callable[[], int],
    most: int | None = None,
    after_portion: Callable[[int], None] = lambda _sent: None,
) -> Outcome:
    """Send the records of dead letters, those that nothing has become of, to where they first came from.

    `most` is how many records at most; `after_portion` is told how many have been sent so far. Raises
    KafkaSetupError if a source does not take a record; what was sent before is noted.
    """
    notes = Notes(cluster, topology)
    planned = plan_replay(letters, notes.register, topology)
    outcome = Outcome(refused=list(planned.refused))
    rest = iter(planned.sendings[:most])
    while portion := list(islice(rest, PORTION)):
        turn = notes.take()
        again = plan_replay((letter for each in portion for letter in each.letters), notes.register, topology)
        found, refused = find_records(notes.cluster, topology, again.sendings)
        outcome.refused += refused
        if found:
            _commit(turn, _send(notes, found, now_ms()))
            outcome.sent += [sending for sending, _ in found]
        after_portion(len(outcome.sent))
    return outcome


def drop(
    cluster: Reached, topology: Topology, letters: Sequence[Letter], now_ms: Callable[[], int]
) -> list[Letter]:
    """Note that nothing is to become of these dead letters; returns those of which nothing had."""
    notes = Notes(cluster, topology)
    rest = iter([letter for letter in letters if notes.register.of(letter) is None])
    dropped: list[Letter] = []
    while portion := list(islice(rest, PORTION)):
        turn = notes.take()
        left = [letter for letter in portion if notes.register.of(letter) is None]
        noted = {letter.place: Handled("dropped", now_ms()) for letter in left}
        _commit(turn, partial(notes.write, noted=noted))
        dropped += left
    return dropped


def preview(
    cluster: Reached, topology: Topology, letters: Iterable[Letter], most: int | None = None
) -> ReplayPlan:
    """What `replay` would do now, and what it would not."""
    planned = plan_replay(letters, read_register(cluster, topology), topology)
    sendings: list[Sending] = []
    refused = list(planned.refused)
    rest = iter(planned.sendings[:most])
    while portion := list(islice(rest, PORTION)):
        found, missing = find_records(cluster, topology, portion)
        sendings += [sending for sending, _ in found]
        refused += missing
    return ReplayPlan(tuple(sendings), tuple(refused))


def find_records(
    cluster: Reached, topology: Topology, sendings: Sequence[Sending]
) -> tuple[list[tuple[Sending, Record]], list[tuple[Letter, str]]]:
    """The record of each, out of the dead letter or of its source; and those that cannot be had."""
    inputs = {read.topic: read for read in topology.sources}
    bodies = fetch(cluster, (letter.place for each in sendings for letter in each.letters))
    found: dict[Source, Record] = {}
    for sending in sendings:
        internal = inputs[sending.source.topic].has_internal_format
        for letter in sending.letters:
            body = bodies.get(letter.place)
            kept = body and kept_record(body, letter, has_internal_format=internal)
            if kept:
                found[sending.source] = kept
    read = fetch(cluster, (each.source for each in sendings if each.source not in found))
    refused: list[tuple[Letter, str]] = []
    for sending in sendings:
        if sending.source in found:
            continue
        message = read.get(sending.source)
        ours = inputs[sending.source.topic].ingest
        if message is not None and _may_be(message, sending, bodies, has_own_times=not ours):
            found[sending.source] = read_record(message)
        else:
            refused += [(letter, _why_gone(letter)) for letter in sending.letters]
    return [(each, found[each.source]) for each in sendings if each.source in found], refused


def _may_be(message: Any, sending: Sending, bodies: dict[Source, Any], *, has_own_times: bool) -> bool:
    """Whether it can be the record that failed: its topic may have been made anew since."""
    for letter in sending.letters:
        if not has_own_times and message.timestamp()[1] > letter.time_ms:
            return False
        body = bodies.get(letter.place)
        if body is not None and letter.truncated and letter.failed == letter.source:
            return bool((message.value() or b"").startswith(body.value() or b""))
    return True


def _why_gone(letter: Letter) -> str:
    if letter.truncated:
        return f"the dead letter was cut, and {letter.source} holds the record no longer"
    return f"{letter.source} holds the record no longer, and the dead letter is not all of it"


Write = Callable[[Producer], None]


class Notes:
    """What became of dead letters, and the producer that may write it.

    A producer in doubt is replaced, which fences whoever has opened one meanwhile; what that one has written
    is read first.
    """

    def __init__(self, cluster: Reached, topology: Topology) -> None:
        """Create the topic if it is missing; fences whoever has opened a producer before."""
        self._topic = handled_topic(topology).name
        self._topology = topology
        self.cluster = _with_topic(cluster, topology)
        transactional_id = f"{topology.application_id}-dead-letters"
        open_producer = partial(replay_transactions, cluster.settings, transactional_id)
        self._turns = ProducerTurns([open_producer])
        self._client = self._turns.clients[transactional_id]
        self.register = read_register(self.cluster, topology)

    def take(self) -> Turn:
        """The producer; `register` is up to date for it."""
        turn = self._turns.take()
        if turn.client is not self._client:
            self._client = turn.client
            self.register = read_register(self.cluster, self._topology)
        return turn

    def write(self, producer: Producer, noted: Mapping[Source, Handled]) -> None:
        for place, handled in noted.items():
            producer.produce(self._topic, handled.encode(), self.register.key(place), 0)


def _send(notes: Notes, found: Sequence[tuple[Sending, Record]], now_ms: int) -> Write:
    """What writes a portion: its records and, when each has its place, the notes of its dead letters."""

    def write(producer: Producer) -> None:
        reports: dict[Source, Any] = {}
        for sending, record in found:
            source = sending.source
            exists = source.partition < notes.cluster.topics[source.topic]
            sent = marked(record, sending)
            try:
                producer.produce(
                    source.topic,
                    sent.value,
                    sent.key,
                    source.partition if exists else ANY_PARTITION,
                    on_delivery=partial(_report, reports, source),
                    timestamp=max(0, sent.time_ms),
                    headers=list(sent.headers),
                )
            except KafkaException as error:
                raise _refused(sending, error.args[0]) from error
            producer.poll(0)
        producer.flush(_FLUSH_SECONDS)
        for sending, _ in found:
            report = reports.get(sending.source)
            if isinstance(report, KafkaError) and report.code() not in _FOR_OTHERS:
                raise _refused(sending, report)
        if any(not isinstance(reports.get(sending.source), Source) for sending, _ in found):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "records have not been written in time"))  # noqa: SLF001
        for sending, _ in found:
            source, topic_ids = sending.source, notes.register.topic_ids
            handled = Handled(
                "replayed", now_ms, source, topic_ids.get(source.topic), reports[source], sending.count
            )
            notes.write(producer, {letter.place: handled for letter in sending.letters})

    return write


def _report(reports: dict[Source, Any], source: Source, error: KafkaError | None, message: Any) -> None:
    reports[source] = error or Source(message.topic(), message.partition(), message.offset())


def _refused(sending: Sending, error: KafkaError) -> KafkaSetupError:
    letter = sending.letters[0]
    return KafkaSetupError(
        f"{sending.source.topic} does not take the record of the dead letter {letter.short_place}: "
        f"{error.str()}; see max.message.bytes, message.timestamp.* and cleanup.policy of the topic, and "
        "whether this client may write to it; or drop this dead letter; then do the same again: what was "
        "sent before is not sent twice"
    )


def _commit(turn: Turn, write: Write) -> None:
    """Write in one transaction. Raises KafkaSetupError if somebody else has begun to handle dead letters."""
    producer = turn.client
    try:
        producer.begin_transaction()
        write(producer)
        retry(producer.commit_transaction)
    except (KafkaException, KafkaSetupError, SystemError) as error:
        # A fatal error that comes beside a line of the log is made a SystemError (confluent-kafka 2.16).
        turn.aborted = True
        if _is_fenced(producer, error):
            raise KafkaSetupError(
                "somebody else has begun to replay or drop dead letters of this application; what was done "
                "here is noted: do the same again when the other one has ended"
            ) from error
        raise


def _is_fenced(producer: Producer, error: BaseException) -> bool:
    """Abort; returns whether that is no longer ours to do."""
    found = [error, error.__cause__]
    try:
        producer.abort_transaction(_ABORT_SECONDS)
    except KafkaException as failure:
        found.append(failure)
    return any(isinstance(each, KafkaException) and each.args[0].fatal() for each in found)


def _with_topic(cluster: Reached, topology: Topology) -> Reached:
    """The cluster with the topic of notes, made if it is missing."""
    noted = handled_topic(topology)
    topics = dict(cluster.topics)
    if noted.name not in topics:
        if not cluster.settings.create_topics:
            raise KafkaSetupError(
                f"the topic {noted.name} is missing: create it with 1 partition and {dict(noted.config)}, or "
                "set create_topics=true"
            )
        create_topics(cluster.admin, [noted], cluster.settings)
        deadline = time.monotonic() + _CREATED_SECONDS
        while noted.name not in topics and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
            topics = topics_of(cluster.admin)
    return replace(cluster, topics=topics)
