"""Reading records: whole topics to their present end, and single records by their places."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from wallaroo.admin.cluster import Reached
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import restore_consumer
from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.offsets import EndReader, committed_ends, log_starts
from wallaroo.record import Place
from wallaroo.task.origin import Source

_REQUEST_SECONDS = 10.0
_POLL_SECONDS = 0.2
_STILL_SECONDS = 30.0
_MOST = 1_000
# Reading so many records costs no more than finding the next one by its offset.
_NEAR = 1_000


def read_topic(cluster: Reached, topic: str) -> Iterator[Any]:
    """Every committed record of a topic, each partition in order, up to its present end."""
    places = [(topic, number) for number in range(cluster.topics[topic])]
    starts = log_starts(cluster.admin, places, _REQUEST_SECONDS)
    ends = committed_ends(cluster.admin, places, _REQUEST_SECONDS)
    return read_between(cluster, starts, ends)


def read_newest(cluster: Reached, topic: str, most: int) -> Iterator[Any]:
    """The committed records at the last offsets of a topic: so many, as many of each partition."""
    places = [(topic, number) for number in range(cluster.topics[topic])]
    starts = log_starts(cluster.admin, places, _REQUEST_SECONDS)
    ends = committed_ends(cluster.admin, places, _REQUEST_SECONDS)
    share = -(-most // len(places))
    return read_between(cluster, {at: max(start, ends[at] - share) for at, start in starts.items()}, ends)


def read_between(cluster: Reached, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> Iterator[Any]:
    """Every committed record from one offset of each partition to another one."""
    with closing(restore_consumer(cluster.settings, cluster.client_id)) as consumer:
        reader = EndReader(consumer, starts, ends, _POLL_SECONDS)
        still_since = time.monotonic()
        while reader.unread:
            records = reader.poll(_MOST)
            for messages in records.values():
                yield from messages
            still_since = time.monotonic() if records else still_since
            _check_moves(still_since, reader.unread, cluster)


def fetch(cluster: Reached, wanted: Iterable[Source]) -> dict[Source, Any]:
    """The records at these places, those that are there."""
    places = sorted(place for place in set(wanted) if place.partition < cluster.topics.get(place.topic, 0))
    partitions = sorted({(place.topic, place.partition) for place in places})
    starts = log_starts(cluster.admin, partitions, _REQUEST_SECONDS)
    ends = committed_ends(cluster.admin, partitions, _REQUEST_SECONDS)
    there = [p for p in places if starts[p[:2]] <= p.offset < ends[p[:2]]]
    found: dict[Source, Any] = {}
    with closing(restore_consumer(cluster.settings, cluster.client_id)) as consumer:
        for run in _runs(there):
            found |= _fetch_run(cluster, consumer, run)
    return found


def _runs(places: Iterable[Source]) -> list[list[Source]]:
    """Places of one partition each, near to one another."""
    runs: list[list[Source]] = []
    for place in places:
        last = runs[-1][-1] if runs else None
        if last is not None and last[:2] == place[:2] and place.offset - last.offset <= _NEAR:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _fetch_run(cluster: Reached, consumer: Consumer, run: list[Source]) -> dict[Source, Any]:
    first, last = run[0], run[-1]
    at: Place = (first.topic, first.partition)
    wanted, found = set(run), {}
    consumer.assign([TopicPartition(*at, first.offset)])
    still_since, reached = time.monotonic(), -1
    while reached < last.offset:
        messages: list[Any] = consumer.consume(_MOST, _POLL_SECONDS)
        for message in messages:
            if message.error() is not None:
                if classify_event(message) is Event.END_OF_PARTITION:
                    reached = max(reached, message.offset())
                continue
            place = Source(message.topic(), message.partition(), message.offset())
            if place[:2] != at:
                continue
            reached = max(reached, place.offset)
            if place in wanted:
                found[place] = message
        still_since = time.monotonic() if messages else still_since
        _check_moves(still_since, {at: last.offset}, cluster)
    return found


def _check_moves(still_since: float, unread: Mapping[Place, int], cluster: Reached) -> None:
    if time.monotonic() - still_since > _STILL_SECONDS:
        (topic, number), end = next(iter(unread.items()))
        raise KafkaSetupError(
            f"{topic}[{number}] cannot be read to offset {end}: for {_STILL_SECONDS:g} s nothing came from "
            f"Kafka at {cluster.settings.bootstrap_servers}; see whether its brokers run, and do it again"
        )
