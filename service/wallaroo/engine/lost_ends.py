"""Writes the ends of a worker's own transactions that Kafka has lost, before its producers are used.

A coordinator may call a transaction complete though its end is missing in some partitions: those that had
no leader at that moment (KAFKA-20734; decision 0029). The group then waits for its offsets, and a restore
for its changelog, for ever. The end that a producer's next transaction writes into such a partition holds
for all that the producer has left open there.

Rules for whoever edits this file:
1. A transaction ends as the coordinator noted it. If that is not known, an operator decides.
2. No offset of the group is sent: those that are pending are completed, or dropped, as they are. What is sent
   is an offset of another group, whose only purpose is to live in the same partition of the offsets topic.
3. What others have left open is not touched: an end is one producer's.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.kafka.clients import common_config
from wallaroo.kafka.errors import classify_event
from wallaroo.kafka.offsets import Place, committed_ends, end_offsets
from wallaroo.kafka.open_transactions import (
    OFFSETS_TOPIC,
    group_partition,
    java_hash,
    partition_count,
    unstable_partitions,
)
from wallaroo.kafka.retry import retry
from wallaroo.kafka.transaction_log import last_ends
from wallaroo.settings import Settings
from wallaroo.state.store import END_KEY
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

# Longer than a transaction of a worker that runs takes to end.
_SECOND_LOOK_SECONDS = 0.5
_REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LostEnd:
    """Partitions in which the end of one producer's transaction is missing, and which end it is."""

    transactional_id: str
    committed: bool
    places: tuple[Place, ...]


def write_lost_ends(
    producers: Mapping[str, Producer],
    consumer: Consumer,
    sub: SubTopology,
    settings: Settings,
    admin: AdminClient,
) -> None:
    """Write the ends that are missing of these producers, which have just been opened.

    Raises KafkaException if the cluster cannot be asked, or if a producer cannot go on.
    """
    first = _open_changelogs(admin, sub)
    if first:
        time.sleep(_SECOND_LOOK_SECONDS)
    # Transactions of workers that run come and go: only one that has stayed counts.
    places = {place for place, _ in first.items() & _open_changelogs(admin, sub).items()} if first else set()
    inputs = [TopicPartition(*place) for place in _places(admin, sub.input.topic)]
    refused = partial(_raise_refusal, consumer)
    if retry(lambda: unstable_partitions(consumer, inputs, _SECOND_LOOK_SECONDS), refused):
        number = group_partition(sub.group, partition_count(admin))
        places |= set() if number is None else {(OFFSETS_TOPIC, number)}
    if not places:
        return
    ends = last_ends(admin, settings, producers)
    for lost in lost_ends(places, ends):
        where = [f"{topic}[{number}]" for topic, number in lost.places]
        details = {"transactional_id": lost.transactional_id, "partitions": where}
        producer = producers[lost.transactional_id]
        try:
            _write(producer, lost, sub, settings, admin)
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            _log.warning("end of a transaction not written", extra={**details, "error": error.args[0].str()})
            retry(producer.abort_transaction)
        else:
            _log.warning("end of a transaction written", extra={**details, "committed": lost.committed})


def lost_ends(open_places: Collection[Place], ends: Mapping[str, Mapping[Place, bool]]) -> list[LostEnd]:
    """What to write: an end for each producer whose last transaction with an open partition is over."""
    lost = []
    for transactional_id, ended in ends.items():
        for committed in (True, False):
            places = sorted(place for place in open_places if ended.get(place) is committed)
            if places:
                lost.append(LostEnd(transactional_id, committed, tuple(places)))
    return lost


def neighbour(group: str, partitions: int) -> str:
    """The name of a group that lives in the same partition of the offsets topic."""
    wanted = java_hash(group) % partitions
    names = (f"{group}.end.{number}" for number in count())
    return next(name for name in names if java_hash(name) % partitions == wanted)


def _raise_refusal(consumer: Consumer, _error: KafkaError) -> None:
    """Say what the coordinator has told the client, whose call only says that time was up.

    The consumer reads nothing yet, so that nothing else can come of polling it.
    """
    while (message := consumer.poll(0)) is not None:
        classify_event(message)


def _open_changelogs(admin: AdminClient, sub: SubTopology) -> dict[Place, int]:
    """The partitions of the changelogs in which a transaction has not ended, and where it begins."""
    places = [place for store in sub.stores for place in _places(admin, store.changelog)]
    stable = committed_ends(admin, places, _REQUEST_SECONDS)
    ends = end_offsets(admin, places, _REQUEST_SECONDS)
    return {place: stable[place] for place, end in ends.items() if stable[place] < end}


def _places(admin: AdminClient, topic: str) -> Sequence[Place]:
    found = retry(lambda: admin.list_topics(topic, _REQUEST_SECONDS)).topics[topic]
    return [(topic, number) for number in found.partitions]


def _write(
    producer: Producer, lost: LostEnd, sub: SubTopology, settings: Settings, admin: AdminClient
) -> None:
    producer.begin_transaction()
    group = None
    for topic, number in lost.places:
        if topic == OFFSETS_TOPIC:
            group = neighbour(sub.group, partition_count(admin))
            _send_an_offset(producer, group, sub.input.topic, settings)
        else:
            producer.produce(topic, None, END_KEY, number)
    producer.flush(_REQUEST_SECONDS)
    end: Callable[[], None] = producer.commit_transaction if lost.committed else producer.abort_transaction
    retry(end)
    if group is not None:
        _delete(admin, group)


def _send_an_offset(producer: Producer, group: str, topic: str, settings: Settings) -> None:
    consumer = Consumer({**common_config(settings, group), "group.id": group})
    try:
        offsets = [TopicPartition(topic, 0, 0)]
        retry(lambda: producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata()))
    finally:
        consumer.close()


def _delete(admin: AdminClient, group: str) -> None:
    try:
        admin.delete_consumer_groups([group], request_timeout=_REQUEST_SECONDS)[group].result()
    except KafkaException as error:
        _log.info("group not deleted", extra={"group": group, "error": error.args[0].str()})
