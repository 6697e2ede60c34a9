"""How Kafka's coordinator noted that the transactions of a producer ended: read from its own topic.

The client library has no request for it (DescribeTransactions, KIP-664), and by the time one would ask, the
producer has been opened anew and the coordinator no longer says. Only what it wrote tells how the last
transaction that had a certain partition was to end.

Rules for whoever edits this file:
1. The layout is Kafka's TransactionLogKey and TransactionLogValue, versions 0 and 1 (Kafka 0.11 to 4.3); any
   other is not read.
2. Whatever cannot be read is unknown: nothing is guessed.
"""

import logging
import struct
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import restore_consumer
from wallaroo.kafka.offsets import EndReader, Place, end_offsets
from wallaroo.kafka.open_transactions import java_hash
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

TOPIC = "__transaction_state"
_COMMITS = frozenset({2, 4})
_ABORTS = frozenset({3, 5})
_REQUEST_SECONDS = 10.0
_READ_SECONDS = 30.0
_POLL_SECONDS = 0.1
_POLL_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Ending:
    """A state in which the coordinator noted a transaction, with the partitions that it had."""

    status: int
    places: frozenset[Place]


def last_ends(
    admin: AdminClient, settings: Settings, transactional_ids: Iterable[str]
) -> dict[str, dict[Place, bool]]:
    """For each id, how the last transaction with a partition ended: True if it was committed.

    Empty where this client may not read the coordinator's topic, or not in half a minute.
    """
    ids = list(transactional_ids)
    try:
        found = admin.list_topics(TOPIC, _REQUEST_SECONDS).topics.get(TOPIC)
        if found is None or found.error is not None or not found.partitions:
            return {}
        count = len(found.partitions)
        return _read(admin, settings, {(TOPIC, java_hash(each) % count) for each in ids}, ids)
    except (KafkaException, KafkaSetupError) as error:
        _log.warning("ends of transactions unknown", extra={"error": str(error)})
        return {}


def ends_of(records: Iterable[tuple[bytes, bytes | None]], transactional_id: str) -> dict[Place, bool]:
    """For each partition, how the last transaction of this id that had it ended: True if it was committed."""
    wanted, ends = encode_key(transactional_id), {}
    for key, value in records:
        ending = decode(value) if key == wanted and value is not None else None
        if ending is not None:
            for place in ending.places:
                if ending.status in _COMMITS | _ABORTS:
                    ends[place] = ending.status in _COMMITS
                else:
                    # The next transaction has it already: its own end is the one that counts.
                    ends.pop(place, None)
    return ends


def encode_key(transactional_id: str) -> bytes:
    """The key under which the coordinator keeps a transactional id."""
    encoded = transactional_id.encode()
    return struct.pack(">hh", 0, len(encoded)) + encoded


def decode(value: bytes) -> Ending | None:
    """The state and the partitions in a value of the coordinator; None if it is of an unknown layout."""
    try:
        return _decode(_Reader(value))
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _decode(reader: "_Reader") -> Ending | None:
    version = reader.number(">h")
    if version not in (0, 1):
        return None
    compact = version == 1
    reader.number(">q")  # producer id
    reader.number(">h")  # epoch
    reader.number(">i")  # time-out
    status = reader.number(">b")
    places = set()
    for _ in range(reader.length(">i", compact)):
        topic = reader.text(compact)
        places |= {(topic, reader.number(">i")) for _ in range(reader.length(">i", compact))}
        reader.tags(compact)
    return Ending(status, frozenset(places))


class _Reader:
    """Reads numbers, lengths and texts of Kafka's protocol, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return int(value)

    def length(self, layout: str, compact: bool) -> int:
        """The number of what follows; null is none."""
        return max(0, self._varint() - 1 if compact else self.number(layout))

    def text(self, compact: bool) -> str:
        size = self.length(">h", compact)
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def tags(self, compact: bool) -> None:
        """Skip the tagged fields of a structure."""
        for _ in range(self._varint() if compact else 0):
            self._varint()
            size = self._varint()
            self._at += size

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value


def _read(
    admin: AdminClient, settings: Settings, places: set[Place], ids: list[str]
) -> dict[str, dict[Place, bool]]:
    ends = end_offsets(admin, places, _REQUEST_SECONDS)
    keys = {encode_key(each) for each in ids}
    records: dict[Place, list[tuple[bytes, bytes | None]]] = {place: [] for place in places}
    deadline = time.monotonic() + _READ_SECONDS
    with closing(restore_consumer(settings, f"{ids[0]}-ends")) as consumer:
        reader = EndReader(consumer, dict.fromkeys(ends, 0), ends, _POLL_SECONDS)
        while reader.unread:
            if time.monotonic() > deadline:
                _log.warning("ends of transactions unknown", extra={"error": f"{TOPIC} is too long"})
                return {}
            for place, messages in reader.poll(_POLL_SIZE).items():
                records[place] += [(m.key(), m.value()) for m in messages if m.key() in keys]
    read: Mapping[str, dict[Place, bool]] = {
        each: ends_of((record for found in records.values() for record in found), each) for each in ids
    }
    return dict(read)
