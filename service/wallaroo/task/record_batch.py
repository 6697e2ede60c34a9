"""Record batches: several records of one partition of a repartition topic in one Kafka record.

1R<entries>     without a key; times in milliseconds
1X<entries>     the same, times in nanoseconds: records on their way to range windows

The entries are a MessagePack array of arrays [value, key, time]: byte strings, and an integer of 64 bits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from wallaroo.errors import StoredValueError
from wallaroo.record import Partition, RawRecord
from wallaroo.serde.formats import BATCH_MILLISECONDS, BATCH_NANOSECONDS
from wallaroo.task.dead_letters import unreadable_record
from wallaroo.windows.event_time import stored_event_time, timestamp_and_headers

_TAG_BYTES = 2
# MessagePack arrays with an explicit length: the first byte, and the size of the length.
_LENGTH_BYTES = {0xDC: 2, 0xDD: 4}

# (value, key, time)
Entry = tuple[bytes, bytes, int]
_Time = Annotated[int, msgspec.Meta(le=2**63 - 1)]

_encode = msgspec.msgpack.Encoder().encode


class BatchedRecord(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One record of a batch, as a RawRecord; `at` is the offset of the batch."""

    its_value: bytes
    its_key: bytes
    time: _Time
    at: int = 0

    def value(self) -> bytes:
        return self.its_value

    def key(self) -> bytes:
        return self.its_key

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time

    def headers(self) -> list[tuple[str, bytes]] | None:
        return None


class ExactRecord(BatchedRecord):
    """A BatchedRecord whose time is in nanoseconds."""

    def timestamp(self) -> tuple[int, int]:
        return 1, timestamp_and_headers(self.time)[0]

    def headers(self) -> list[tuple[str, bytes]] | None:
        _, *headers = timestamp_and_headers(self.time)
        return headers[0] if headers else None


def internal_event_time(_message: Any, record: Any) -> int:
    """The event time of a record of a repartition topic, in a batch or by itself, in nanoseconds."""
    return record.time if type(record) is ExactRecord else stored_event_time(record)


class BatchFormat(NamedTuple):
    """The unit of an entry's time; `end_of_output` is how a record outside a batch carries that time."""

    tag: bytes
    end_of_output: Callable[[int], tuple[Any, ...]]


MILLISECONDS = BatchFormat(BATCH_MILLISECONDS, lambda ms: (ms,))
NANOSECONDS = BatchFormat(BATCH_NANOSECONDS, timestamp_and_headers)
_DECODERS: dict[bytes, Callable[[bytes], Any]] = {
    MILLISECONDS.tag: msgspec.msgpack.Decoder(list[BatchedRecord]).decode,
    NANOSECONDS.tag: msgspec.msgpack.Decoder(list[ExactRecord]).decode,
}


def encode_batch(batch_format: BatchFormat, entries: Sequence[Entry]) -> bytes:
    """The value of one Kafka record that holds all entries."""
    return batch_format.tag + _encode(entries)


def expand_batches(
    records: Iterable[RawRecord], partition: Partition, *, keep_damaged: bool = False
) -> Sequence[RawRecord]:
    """The records of a slice, those in batches included; StoredValueError for a damaged batch.

    `keep_damaged` leaves it in, as a record that cannot be decoded.
    """
    expanded: list[RawRecord] = []
    for record in records:
        value = record.value() if record.key() is None else None
        if value is None or not is_batch(value):
            expanded.append(record)
            continue
        try:
            expanded += decode_batch(value, record.offset())
        except StoredValueError as error:
            if keep_damaged:
                expanded.append(record)
                continue
            raise unreadable_record(partition, record, error) from error
    return expanded


def is_batch(value: bytes) -> bool:
    """Whether the value of a record without a key is a batch."""
    return value[:_TAG_BYTES] in _DECODERS


def decode_batch(value: bytes, offset: int) -> Sequence[BatchedRecord]:
    """The records of a batch; StoredValueError unless `encode_batch` made it."""
    payload = value[_TAG_BYTES:]
    if _announced_length(payload) > len(payload):
        raise StoredValueError(f"a record batch holds less than it announces: {value[:80]!r}")
    try:
        records: list[BatchedRecord] = _DECODERS[value[:_TAG_BYTES]](payload)
    except msgspec.MsgspecError as error:
        raise StoredValueError(f"a record batch cannot be read: {error}: {value[:80]!r}") from error
    if not records:
        raise StoredValueError("a record batch is empty")
    for record in records:
        record.at = offset
    return records


def _announced_length(payload: bytes) -> int:
    """The length that an array claims: the decoder allocates that much before it reads the first item."""
    size = _LENGTH_BYTES.get(payload[0], 0) if payload else 0
    return int.from_bytes(payload[1 : 1 + size], "big")
