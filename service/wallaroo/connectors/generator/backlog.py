"""Backlog: how many values of a generator nobody has read; its saved position, and whether that was lost.

The consumer is asked for the offsets of its group. The admin client's request for them makes confluent-kafka
2.16 crash while the group's coordinator is away.
"""

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.connectors.generator.task import PARTITION, POSITION_KEY, is_position
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.offsets import EndReader, request_end_offsets
from wallaroo.kafka.retry import retry
from wallaroo.topology.model import Generator

_REQUEST_SECONDS = 10.0
_POLL_SECONDS = 0.1
# A transaction writes one position and one marker, so the last one is nearly always among these.
_LAST_RECORDS = 100


class Backlog:
    """How many values a generator may still write; `reader` is in the group that reads them."""

    def __init__(self, admin: AdminClient, reader: Consumer, topic: str, most: int) -> None:
        self._admin = admin
        self._reader = reader
        self._place = (topic, PARTITION)
        self._most = most
        self._room = 0

    @property
    def has_room(self) -> bool:
        """As far as is known without asking Kafka."""
        return self._room > 0

    @property
    def has_been_read(self) -> bool:
        """Whether any value has ever been read."""
        return retry(self._read_up_to) > 0

    def written(self, records: int) -> None:
        self._room -= records

    def refresh(self) -> bool:
        """Ask Kafka how far the reader is; returns whether there is room."""
        self._room = self._most - retry(self._unread)
        return self._room > 0

    def _unread(self) -> int:
        ends = request_end_offsets(self._admin, [self._place], _REQUEST_SECONDS)
        unread: int = ends[self._place].result().offset - self._read_up_to()
        return unread

    def _read_up_to(self) -> int:
        (found,) = self._reader.committed([TopicPartition(*self._place)], timeout=_REQUEST_SECONDS)
        if found.error is not None:
            raise KafkaException(found.error)
        # A group that has committed nothing has a negative offset.
        return max(0, int(found.offset))


def saved_position(consumer: Consumer, topic: str) -> bytes | None:
    """The last position saved; None if there is none, or if a record without a value has erased it.

    To be called when no transaction of the generator can be open any more.
    """
    place = (topic, PARTITION)
    at = TopicPartition(*place)
    low, high = retry(lambda: consumer.get_watermark_offsets(at, timeout=_REQUEST_SECONDS))
    for start in dict.fromkeys((max(low, high - _LAST_RECORDS), low)):
        reader = EndReader(consumer, {place: start}, {place: high}, _POLL_SECONDS)
        found: list[bytes | None] = []
        while reader.unread:
            for records in reader.poll(_LAST_RECORDS).values():
                found += [record.value() for record in records if is_position(record)]
        if found:
            return found[-1]
    return None


def check_not_lost(consumer: Consumer, generator: Generator) -> None:
    """Raise KafkaSetupError if no position was ever written: erasing one writes a record, too."""
    at = TopicPartition(generator.positions, PARTITION)
    _, high = retry(lambda: consumer.get_watermark_offsets(at, timeout=_REQUEST_SECONDS))
    if high == 0:
        raise KafkaSetupError(
            f"{generator.positions} is empty, but values of the generator of the source {generator.source!r} "
            f"have been read from {generator.topic}: the topic with its position was deleted, and it would "
            "generate them again. To let it begin anew on purpose, write a record with the key "
            f"{POSITION_KEY.decode()!r} and no value: printf '{POSITION_KEY.decode()}:' | "
            f"kcat -P -Z -K: -p {PARTITION} -t {generator.positions} -b SERVERS"
        )
