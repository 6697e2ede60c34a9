"""Packs: several records of one partition of a repartition topic in one Kafka record.

1R<entries>     without a key; times in milliseconds
1X<entries>     the same, times in nanoseconds: of records that lead to windows

The entries are a MessagePack array of arrays [value, key, time]: byte strings, and an integer of 64 bits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from wallaroo.errors import StoredValueError
from wallaroo.record import Partition, RawRecord
from wallaroo.serde.formats import BATCH_MILLISECONDS, BATCH_NANOSECONDS
from wallaroo.task.unreadable import unreadable_record
from wallaroo.windows.event_time import stored_event_time, timestamp_and_headers

_KIND_BYTES = 2
# By their first byte, arrays with so many bytes of length behind it.
_LARGE_ARRAYS = {0xDC: 2, 0xDD: 4}

# (value, key, time)
Entry = tuple[bytes, bytes, int]
_Time = Annotated[int, msgspec.Meta(le=2**63 - 1)]

_encode = msgspec.msgpack.Encoder().encode


class PackedRecord(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One record out of a pack, as if it had been read by itself; `at` is the pack's offset."""

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


class ExactRecord(PackedRecord):
    """The same with nanoseconds."""

    def timestamp(self) -> tuple[int, int]:
        return 1, timestamp_and_headers(self.time)[0]

    def headers(self) -> list[tuple[str, bytes]] | None:
        _, *headers = timestamp_and_headers(self.time)
        return headers[0] if headers else None


def internal_event_time(_message: Any, record: Any) -> int:
    """The event time of a record of a repartition topic, in a pack or by itself, in nanoseconds."""
    return record.time if type(record) is ExactRecord else stored_event_time(record)


class Form(NamedTuple):
    """What times are counted in; `ending` is how a record that is not in a pack is written with its time."""

    kind: bytes
    ending: Callable[[int], tuple[Any, ...]]


MILLISECONDS = Form(BATCH_MILLISECONDS, lambda ms: (ms,))
NANOSECONDS = Form(BATCH_NANOSECONDS, timestamp_and_headers)
_READ: dict[bytes, Callable[[bytes], Any]] = {
    MILLISECONDS.kind: msgspec.msgpack.Decoder(list[PackedRecord]).decode,
    NANOSECONDS.kind: msgspec.msgpack.Decoder(list[ExactRecord]).decode,
}


def encode_pack(form: Form, entries: Sequence[Entry]) -> bytes:
    """What is written to a partition in the place of several records."""
    return form.kind + _encode(entries)


def unpacked(records: Iterable[RawRecord], of: Partition) -> Sequence[RawRecord]:
    """The records of a slice, packs opened; StoredValueError for one that `encode_pack` has not made."""
    found: list[RawRecord] = []
    for record in records:
        value = record.value() if record.key() is None else None
        if value is None or not is_pack(value):
            found.append(record)
            continue
        try:
            found += decode_pack(value, record.offset())
        except StoredValueError as error:
            raise unreadable_record(of, record.offset(), error) from error
    return found


def is_pack(value: bytes) -> bool:
    """Whether the value of a record without a key is a pack."""
    return value[:_KIND_BYTES] in _READ


def decode_pack(value: bytes, offset: int) -> Sequence[PackedRecord]:
    """The records in a pack; StoredValueError where `encode_pack` has not made it."""
    payload = value[_KIND_BYTES:]
    if _announced(payload) > len(payload):
        raise StoredValueError(f"a pack has less in it than it says: {value[:80]!r}")
    try:
        records: list[PackedRecord] = _READ[value[:_KIND_BYTES]](payload)
    except msgspec.MsgspecError as error:
        raise StoredValueError(f"a pack cannot be opened: {error}: {value[:80]!r}") from error
    if not records:
        raise StoredValueError("a pack has nothing in it")
    for record in records:
        record.at = offset
    return records


def _announced(payload: bytes) -> int:
    """How many items an array says it has: memory is taken for all of them before the first is read."""
    size = _LARGE_ARRAYS.get(payload[0], 0) if payload else 0
    return int.from_bytes(payload[1 : 1 + size], "big")
