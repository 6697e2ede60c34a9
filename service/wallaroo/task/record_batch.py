"""Record batches: several records of one partition of a repartition topic in one Kafka record.

2R<size><places><entries>     without a key; times in milliseconds
2X<size><places><entries>     the same, times in nanoseconds: records on their way to range windows

The entries are a MessagePack array of arrays [value, key, time, number]: byte strings, an integer of 64 bits,
and the number that says where the record first came from, or nil; the places, of this size in bytes as two
bytes, are what the number refers to (task/origin.py). 1R and 1X have neither places nor numbers.

3X<size><places><entries>     2X, where entries end with an array of headers of the source's record

A header is an array [name, value], the value a byte string or nil.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from wallaroo.errors import StoredValueError
from wallaroo.record import NANOSECONDS_PER_MS, Partition, RawRecord
from wallaroo.serde.formats import (
    BATCH_MILLISECONDS,
    BATCH_MILLISECONDS_1,
    BATCH_NANOSECONDS,
    BATCH_NANOSECONDS_1,
    BATCH_WITH_HEADERS,
)
from wallaroo.task.arrival import arrival_in
from wallaroo.task.dead_letters import unreadable_record
from wallaroo.task.origin import Places, Source, place_of
from wallaroo.windows.control import is_control
from wallaroo.windows.event_time import stored_event_time, timestamp_and_headers

_TAG_BYTES = 2
# The size of the places.
_SIZE_BYTES = 2
# MessagePack arrays with an explicit length: the first byte, and the size of the length.
_LENGTH_BYTES = {0xDC: 2, 0xDD: 4}
# Those with up to fifteen items have it in the first byte.
_SHORT_ARRAY, _SHORT_LENGTH = 0x90, 0x0F

# (value, key, time), a number or mark of its origin, and headers where they are carried.
Entry = tuple[Any, ...]
_Time = Annotated[int, msgspec.Meta(le=2**63 - 1)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

# More than fit into a record: the decoder allocates what an array announces, so that this is bounded.
_Headers = Annotated[tuple[tuple[str, bytes | None], ...], msgspec.Meta(max_length=2**22)]

_encode = msgspec.msgpack.Encoder().encode


class Pack(NamedTuple):
    """What the records of one batch share: its offset, the places they came from, and when they arrived."""

    offset: int
    places: Places
    arrival: bytes | None = None


_UNREAD = Pack(0, ())
if TYPE_CHECKING:
    _SetLater = Pack
else:
    # No value that is read will do.
    _SetLater = Annotated[int, msgspec.Meta(ge=1, le=0)]


class BatchedRecord(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One record of a batch, as a RawRecord; `number` is that of its origin."""

    its_value: bytes
    its_key: bytes
    time: _Time
    number: _Number | None = None
    pack: _SetLater = _UNREAD

    def value(self) -> bytes:
        return self.its_value

    def key(self) -> bytes:
        return self.its_key

    def offset(self) -> int:
        return self.pack.offset

    def source(self) -> Source | None:
        """Where the record first came from, if that is known."""
        return place_of(self.pack.places, self.number)

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


class CarryingRecord(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One record of a batch with headers, as a RawRecord; its time is in nanoseconds."""

    its_value: bytes
    its_key: bytes
    time: _Time
    number: _Number | None
    carried: _Headers
    pack: _SetLater = _UNREAD

    def value(self) -> bytes:
        return self.its_value

    def key(self) -> bytes:
        return self.its_key

    def offset(self) -> int:
        return self.pack.offset

    def source(self) -> Source | None:
        """Where the record first came from, if that is known."""
        return place_of(self.pack.places, self.number)

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time // NANOSECONDS_PER_MS

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Those of the source's record, for a dead letter."""
        return list(self.carried) or None


def internal_event_time(_message: Any, record: Any) -> int:
    """The event time of a record of a repartition topic, in a batch or by itself, in nanoseconds."""
    kind = type(record)
    if kind is ExactRecord or kind is CarryingRecord:
        time: int = record.time
        return time
    return stored_event_time(record)


RecordOfBatch = BatchedRecord | CarryingRecord


class BatchFormat(NamedTuple):
    """The unit of an entry's time; `end_of_output` is how a record outside a batch carries that time.

    `tag_1` is that of a batch without origins.
    """

    tag: bytes
    tag_1: bytes
    end_of_output: Callable[[int], tuple[Any, ...]]


MILLISECONDS = BatchFormat(BATCH_MILLISECONDS, BATCH_MILLISECONDS_1, lambda ms: (ms,))
NANOSECONDS = BatchFormat(BATCH_NANOSECONDS, BATCH_NANOSECONDS_1, timestamp_and_headers)
# Written with places only, and with one entry as well as with many.
WITH_HEADERS = BatchFormat(BATCH_WITH_HEADERS, BATCH_WITH_HEADERS, lambda ns: (ns // NANOSECONDS_PER_MS,))
_decode_places = msgspec.msgpack.Decoder(list[tuple[str, int, int]]).decode
_decode_milliseconds = msgspec.msgpack.Decoder(list[BatchedRecord]).decode
_decode_nanoseconds = msgspec.msgpack.Decoder(list[ExactRecord]).decode
_DECODERS: dict[bytes, Callable[[bytes], Any]] = {
    BATCH_MILLISECONDS: _decode_milliseconds,
    BATCH_MILLISECONDS_1: _decode_milliseconds,
    BATCH_NANOSECONDS: _decode_nanoseconds,
    BATCH_NANOSECONDS_1: _decode_nanoseconds,
    BATCH_WITH_HEADERS: msgspec.msgpack.Decoder(list[CarryingRecord]).decode,
}
_WITH_PLACES = frozenset((BATCH_MILLISECONDS, BATCH_NANOSECONDS, BATCH_WITH_HEADERS))


def encode_batch(batch_format: BatchFormat, entries: Sequence[Entry], places: Places | None = None) -> bytes:
    """The value of one Kafka record that holds all entries; with `places`, each ends with a number."""
    if places is None:
        return batch_format.tag_1 + _encode(entries)
    encoded = _encode(places)
    return b"".join((batch_format.tag, len(encoded).to_bytes(_SIZE_BYTES), encoded, _encode(entries)))


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
            expanded += decode_batch(value, record.offset(), arrival_in(record.headers()))
        except StoredValueError as error:
            if keep_damaged:
                expanded.append(record)
                continue
            raise unreadable_record(partition, record, error) from error
    return expanded


def is_batch(value: bytes) -> bool:
    """Whether the value of a record without a key is a batch."""
    return value[:_TAG_BYTES] in _DECODERS


def decode_batch(value: bytes, offset: int, arrival: bytes | None = None) -> Sequence[RecordOfBatch]:
    """The records of a batch; StoredValueError unless `encode_batch` made it."""
    tag, payload, places = value[:_TAG_BYTES], value[_TAG_BYTES:], b"\x90"
    if tag in _WITH_PLACES:
        end = _SIZE_BYTES + int.from_bytes(payload[:_SIZE_BYTES])
        places, payload = payload[_SIZE_BYTES:end], payload[end:]
    if any(_announced_length(each) > len(each) for each in (places, payload)):
        raise StoredValueError(f"a record batch holds less than it announces: {value[:80]!r}")
    try:
        pack = Pack(offset, _decode_places(places), arrival)
        records: list[RecordOfBatch] = _DECODERS[tag](payload)
    except msgspec.MsgspecError as error:
        raise StoredValueError(f"a record batch cannot be read: {error}: {value[:80]!r}") from error
    if not records:
        raise StoredValueError("a record batch is empty")
    for record in records:
        record.pack = pack
    return records


def one_record(_message: RawRecord) -> int:
    """How many records a message of any other topic holds."""
    return 1


def records_in(message: RawRecord) -> int:
    """How many records a message of a repartition topic announces; a control record is none."""
    key, value = message.key(), message.value()
    if key is not None or value is None:
        return 1
    if is_control(key, value):
        return 0
    tag, payload = value[:_TAG_BYTES], value[_TAG_BYTES:]
    if tag in _WITH_PLACES:
        payload = payload[_SIZE_BYTES + int.from_bytes(payload[:_SIZE_BYTES]) :]
    if tag not in _DECODERS or not payload:
        return 1
    short = payload[0] & _SHORT_LENGTH if payload[0] & ~_SHORT_LENGTH == _SHORT_ARRAY else 0
    return _announced_length(payload) or short


def _announced_length(payload: bytes) -> int:
    """The length that an array claims: the decoder allocates that much before it reads the first item."""
    size = _LENGTH_BYTES.get(payload[0], 0) if payload else 0
    return int.from_bytes(payload[1 : 1 + size], "big")
