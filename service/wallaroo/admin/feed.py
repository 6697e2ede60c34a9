"""Records from a file to a topic, and from a topic to whoever looks: for trying an application out.

A file holds a record a line, or a frame each: a length of four bytes, big-endian, and so many bytes.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, BinaryIO

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TopicPartition

from wallaroo.admin.cluster import answered
from wallaroo.clock import Clock
from wallaroo.errors import KafkaSetupError, SettingsError
from wallaroo.kafka.clients import ingest_producer, restore_consumer
from wallaroo.kafka.errors import Event, classify_event
from wallaroo.settings import Settings

HEADER_BYTES = 4
_REQUEST_SECONDS = 5.0
_POLL_SECONDS = 0.1
_FLUSH_SECONDS = 30.0


class Framing(StrEnum):
    """How records lie in a file or a stream: a line each, or behind their length (big-endian, four bytes)."""

    LINES = "lines"
    U32 = "u32"


def cut(file: BinaryIO, framing: Framing) -> Iterator[bytes]:
    """The records of a file; SettingsError where the last frame is not whole."""
    if framing is Framing.LINES:
        yield from (stripped for line in file if (stripped := line.rstrip(b"\r\n")))
        return
    while header := file.read(HEADER_BYTES):
        size = int.from_bytes(header, "big")
        payload = file.read(size) if len(header) == HEADER_BYTES else b""
        if len(header) < HEADER_BYTES or len(payload) < size:
            raise SettingsError(
                "the last frame of the file is not whole; was it cut, or are its records lines?"
            )
        yield payload


def framed(payload: bytes, framing: Framing) -> bytes:
    """A record as it lies in a file or a stream."""
    return (
        payload + b"\n" if framing is Framing.LINES else len(payload).to_bytes(HEADER_BYTES, "big") + payload
    )


def paced(
    records: Iterable[bytes], rate: int | None, clock: Clock, wait: Callable[[float], None]
) -> Iterator[bytes]:
    """Those records, so many a second, or as they come."""
    begun = clock.monotonic()
    for number, record in enumerate(records):
        if rate and (seconds := begun + number / rate - clock.monotonic()) > 0:
            wait(seconds)
        yield record


def key_of(record: bytes, field: str) -> bytes:
    """The field of a JSON record as its key; SettingsError where there is none."""
    try:
        value = json.loads(record)[field]
    except (ValueError, TypeError, KeyError) as error:
        shown = record[:80].decode(errors="replace")
        raise SettingsError(
            f"no key: the record {shown!r} is no JSON object with the field {field!r}"
        ) from error
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def produce(settings: Settings, topic: str, records: Iterable[bytes], key_field: str | None) -> int:
    """Write records to a topic, by the key that is in them or to any partition; returns how many.

    Raises KafkaSetupError if the topic is not there or a record cannot be written.
    """
    failures: list[Any] = []
    producer = ingest_producer(settings, "wallaroo-produce", failures)
    _partitions(settings, producer, topic)
    sent = 0
    for record in records:
        key = None if key_field is None else key_of(record, key_field)
        while True:
            try:
                producer.produce(topic, record, key)
                break
            except BufferError:
                producer.poll(_POLL_SECONDS)
        producer.poll(0)
        sent += 1
        _check(failures, topic)
    left = producer.flush(_FLUSH_SECONDS)
    _check(failures, topic)
    if left:
        raise KafkaSetupError(f"{left} records for {topic!r} are not confirmed; are the brokers there?")
    return sent


def receive(settings: Settings, topic: str, *, new: bool, until_end: bool) -> Iterator[Any]:
    """The committed messages of a topic, from its beginning or only new ones, up to its end or for ever.

    Raises KafkaSetupError if the topic is not there.
    """
    consumer = restore_consumer(settings, "wallaroo-receive")
    try:
        open_ends = set(_partitions(settings, consumer, topic))
        begin = OFFSET_END if new else OFFSET_BEGINNING
        consumer.assign([TopicPartition(topic, number, begin) for number in open_ends])
        while open_ends or not until_end:
            message = consumer.poll(_POLL_SECONDS)
            if message is None:
                continue
            if message.error() is None:
                yield message
            elif classify_event(message) is Event.END_OF_PARTITION:
                open_ends.discard(message.partition())
    finally:
        consumer.close()


def _partitions(settings: Settings, client: Any, topic: str) -> list[int]:
    with answered(settings):
        found = client.list_topics(topic, _REQUEST_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaSetupError(f"there is no topic {topic!r}: {found.error.str()}; create it first")
    return list(found.partitions)


def _check(failures: list[Any], topic: str) -> None:
    if failures:
        raise KafkaSetupError(f"a record could not be written to {topic!r}: {failures[0].str()}")
