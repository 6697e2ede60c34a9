"""What is on record of a generator: its position, its values, and how many of them nobody has read."""

from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from wallaroo.connectors.generator.task import PARTITION, POSITION_KEY
from wallaroo.engine.transaction import Commit, CommitResult, Writer
from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.retry import retry
from wallaroo.record import Batch

_REQUEST_SECONDS = 10.0
_POLL_SECONDS = 0.1
# A transaction writes one position and one marker, so the last one is nearly always among these.
_LAST_RECORDS = 100


class GeneratorRecord:
    """The topics of a generator as its owner sees them; `position` is the last one written."""

    def __init__(self, write: Writer, position: bytes | None, backlog: "Backlog") -> None:
        self.position = position
        self.backlog = backlog
        self._write = write

    def write(self, batch: Batch) -> CommitResult:
        """Values and position in one transaction."""
        landing = self._write(Commit((batch,), None))
        if landing.committed:
            (changes,) = batch.changes
            self.position = changes.values[POSITION_KEY]
            self.backlog.written(batch.records)
        return landing


class Backlog:
    """How much a generator may still write before its reader has to catch up."""

    def __init__(self, admin: AdminClient, topic: str, reader: str, most: int) -> None:
        self._admin = admin
        self._at = TopicPartition(topic, PARTITION)
        self._reader = reader
        self._most = most
        self._room = 0

    @property
    def full(self) -> bool:
        """As far as is known without asking."""
        return self._room <= 0

    def written(self, records: int) -> None:
        self._room -= records

    def ask(self) -> bool:
        """Ask Kafka how far the reader is; whether there is room."""
        self._room = self._most - retry(self._unread)
        return self._room > 0

    def _unread(self) -> int:
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        group = ConsumerGroupTopicPartitions(self._reader, [self._at])
        read = self._admin.list_consumer_group_offsets([group], request_timeout=_REQUEST_SECONDS)
        ends = self._admin.list_offsets({self._at: latest}, request_timeout=_REQUEST_SECONDS)
        found = (read[self._reader].result().topic_partitions or [self._at])[0]
        if found.error is not None:
            raise KafkaException(found.error)
        # A group that has committed nothing has a negative offset.
        unread: int = ends[self._at].result().offset - max(0, found.offset)
        return unread


def saved_position(consumer: Consumer, topic: str) -> bytes | None:
    """The last position on record; None where there is none, or where it was wiped out.

    To be asked when no transaction of the generator can be open any more.
    """
    at = TopicPartition(topic, PARTITION)
    low, high = retry(lambda: consumer.get_watermark_offsets(at, timeout=_REQUEST_SECONDS))
    for start in dict.fromkeys((max(low, high - _LAST_RECORDS), low)):
        found = _positions(consumer, TopicPartition(topic, PARTITION, start), high)
        if found:
            return found[-1]
    return None


def _positions(consumer: Consumer, start: TopicPartition, end: int) -> list[bytes | None]:
    """Every position from an offset on, up to the end."""
    found: list[bytes | None] = []
    if start.offset >= end:
        return found
    consumer.assign([start])
    while True:
        message: Any
        for message in consumer.consume(_LAST_RECORDS, _POLL_SECONDS):
            if message.error() is None:
                if message.key() == POSITION_KEY:
                    found.append(message.value())
            elif classify_event(message) is Event.END_OF_PARTITION and message.offset() >= end:
                return found
