"""In-memory topics of several partitions, which hold the committed records.

As on a broker, offsets have gaps: the end of every transaction takes up an offset in each partition.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Self
from zlib import crc32

from wallaroo.errors import KafkaSetupError
from wallaroo.record import ANY_PARTITION, Batch, Output, Partition
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.dead_letters import REASON_PREFIX
from wallaroo.task.limits import RecordLimits, Refusal, TopicLimits
from wallaroo.task.record_batch import decode_batch, is_batch

# What a dead letter may hold beside the record that failed, as in a service.
_REASON_BYTES = 131_072
_MOST_REFUSED = 10

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic, as a consumer of committed records reads it; timestamps are milliseconds."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that failed, with its stage and the class and text of its error.

    `topic`, `partition` and `offset` say where the record was read, `timestamp_ms` its time there. `source`
    is where it first came from, as (topic, partition, offset); None if no single record led to it. The
    headers that hold all this are those of Kafka Streams (`__streams.errors.exception` and so on, KIP-1034),
    `__streams.errors.stage`, `__streams.errors.timestamp` and `__streams.errors.source.topic`,
    `.source.partition` and `.source.offset`.
    """

    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    stage: str
    exception: str
    message: str
    topic: str
    partition: int
    offset: int
    source: tuple[str, int, int] | None = None

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record of the dead-letter topic. Raises KeyError if it is not one."""
        reasons = {
            name.removeprefix(REASON_PREFIX): value.decode()
            for name, value in record.headers
            if value is not None and name.startswith(REASON_PREFIX)
        }
        return cls(
            value=record.value,
            key=record.key,
            timestamp_ms=int(reasons["timestamp"]),
            stage=reasons["stage"],
            exception=reasons["exception"],
            message=reasons["message"],
            topic=reasons["topic"],
            partition=int(reasons["partition"]),
            offset=int(reasons["offset"]),
            source=(
                (reasons["source.topic"], int(reasons["source.partition"]), int(reasons["source.offset"]))
                if "source.topic" in reasons
                else None
            ),
        )


class Message:
    """A record in the form in which the Kafka client returns it."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    def value(self) -> bytes | None:
        return self._record.value

    def key(self) -> bytes | None:
        return self._record.key

    def offset(self) -> int:
        return self._record.offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._record.timestamp_ms

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self._record.headers) or None


def limits_of_topics(topics: Iterable[str], dead_letters: str, max_message_bytes: int) -> RecordLimits:
    """What topics take that a service has made."""
    sizes = {topic: max_message_bytes + _REASON_BYTES * (topic == dead_letters) for topic in topics}
    limits = {topic: TopicLimits(max_bytes) for topic, max_bytes in sizes.items()}
    return RecordLimits(max_message_bytes + _REASON_BYTES, limits)


class Logs:
    """All topics of a cluster, made from their numbers of partitions, and what they take."""

    def __init__(self, partitions: Mapping[str, int], limits: RecordLimits | None = None) -> None:
        self.partitions = partitions
        self._limits = limits
        # How many commits in a row have been refused.
        self._refused = 0
        self._topics: dict[str, list[Record]] = {topic: [] for topic in partitions}
        self._logs: dict[Partition, list[Record]] = {at: [] for t in partitions for at in self._all(t)}
        self._ends = dict.fromkeys(self._logs, 0)

    def refusal_of(self, batches: Sequence[Batch]) -> Refusal | None:
        """What a commit is refused for; None if it is not. Raises KafkaSetupError if that would never end."""
        limits = self._limits
        if limits is None or not any(map(limits.are_exceeded, batches)):
            self._refused = 0
            return None
        self._refused += 1
        if self._refused > _MOST_REFUSED:
            texts = [text for batch in batches for text in map(limits.refusal, batch.outputs) if text]
            raise KafkaSetupError(f"what no record leads to is refused: {', '.join(texts[:1])}")
        return Refusal(limits)

    def append(self, output: Output) -> None:
        """Add a record."""
        topic, value, key, partition, *rest = output
        timestamp_ms, headers = (*rest[2:], ())[:2] if rest else (0, ())
        at = Partition(topic, self._choose(topic, key) if partition == ANY_PARTITION else partition)
        record = Record(topic, at.number, self._ends[at], value, key, timestamp_ms, tuple(headers))
        self._ends[at] += 1
        self._topics[topic].append(record)
        self._logs[at].append(record)

    def write(self, batch: Batch) -> None:
        """Add the outputs of a batch, and what it changes in changelogs."""
        for output in batch.outputs:
            self.append(output)
        for changes in batch.changes:
            for key, value in changes.values.items():
                self.append((changes.topic, value, key, batch.partition.number))

    def end_transaction(self, batches: Sequence[Batch]) -> None:
        """Take up the offset of a transaction marker in each partition of the topics of these batches."""
        outputs = {output[0] for batch in batches for output in batch.outputs}
        changes = {changes.topic for batch in batches for changes in batch.changes}
        for topic in outputs | changes:
            for at in self._all(topic):
                self._ends[at] += 1

    def read(self, at: Partition, offset: int, most: int) -> list[Message]:
        """Return up to `most` records of a partition, from an offset on."""
        log = self._logs[at]
        first = bisect_left(log, offset, key=attrgetter("offset"))
        return [Message(record) for record in log[first : first + most]]

    def has_from(self, at: Partition, offset: int) -> bool:
        """Return whether a partition holds a record at this offset or a later one."""
        log = self._logs[at]
        return bool(log) and log[-1].offset >= offset

    def end(self, at: Partition) -> int:
        """Return the offset behind the last record and the last transaction of a partition."""
        return self._ends[at]

    def compacted(self, at: Partition) -> dict[bytes, bytes]:
        """Return what compaction leaves of the state in a partition: the last value of each key, if any."""
        last = {record.key: record.value for record in self._logs[at] if record.key != POSITION_KEY}
        return {key: value for key, value in last.items() if key is not None and value is not None}

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic in the order in which they were added, without positions of tasks."""
        return [record for record in self._topics[topic] if record.key != POSITION_KEY]

    def _all(self, topic: str) -> list[Partition]:
        return [Partition(topic, number) for number in range(self.partitions[topic])]

    def _choose(self, topic: str, key: bytes | None) -> int:
        chosen = len(self._topics[topic]) if key is None else crc32(key)
        return chosen % self.partitions[topic]


def unpack_batches(records: Iterable[Record]) -> list[Record]:
    """Return the records of a repartition topic, with those in each record batch instead of the batch."""
    return [one for record in records for one in _unpacked(record)]


def _unpacked(record: Record) -> list[Record]:
    if record.key is not None or record.value is None or not is_batch(record.value):
        return [record]
    return [
        replace(
            record, value=p.value(), key=p.key(), timestamp_ms=p.timestamp()[1], headers=p.headers() or ()
        )
        for p in decode_batch(record.value, record.offset)
    ]
