"""The ends of a sub-topology: what turns a value into a wished-for write."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from wallaroo.errors import RecordError
from wallaroo.processing.keys import key_bytes
from wallaroo.processing.wiring import Emit, Wiring
from wallaroo.record import ANY_PARTITION, Output
from wallaroo.topology.model import Repartition, Target, ToOutbox, ToTopic


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in an internal topic: CRC-32, at a tenth of what murmur2 costs in Python."""
    return crc32(key) % partitions


def target(end: Target, wiring: Wiring) -> Emit:
    """The function that ends a sub-topology in `end`."""
    match end:
        case Repartition(name, topic, extract, key):
            if extract is not None:
                return _by_extracted_key(name, extract, topic, wiring)
            return _by_known_key(key, topic, wiring)
        case ToTopic(name, topic, encode):
            return _to_topic(name, encode, topic, wiring.append)
        case ToOutbox(name, topic, encode):
            return _to_outbox(name, encode, topic, wiring)


def _by_extracted_key(name: str, extract: Callable[[Any], Any], topic: str, wiring: Wiring) -> Emit:
    append, encode, partitions = wiring.append, wiring.values.encode, wiring.partitions[topic]

    def send(value: Any, _key: bytes | None, timestamp: int) -> None:
        key = extract(value)
        key = key.encode() if type(key) is str else key_bytes(name, key)
        append((topic, encode(value), key, crc32(key) % partitions, None, None, timestamp))

    return send


def _by_known_key(constant: bytes | None, topic: str, wiring: Wiring) -> Emit:
    append, encode, partitions = wiring.append, wiring.values.encode, wiring.partitions[topic]

    def send(value: Any, key: bytes | None, timestamp: int) -> None:
        known = key if constant is None else constant
        if known is None:
            raise RecordError(f"a record without a key cannot go to {topic}; this is a bug of the compiler")
        append((topic, encode(value), known, partition_of(known, partitions), None, None, timestamp))

    return send


def _to_topic(name: str, encode: Callable[[Any], Any], topic: str, append: Callable[[Output], None]) -> Emit:
    def send(value: Any, key: bytes | None, timestamp: int) -> None:
        made = encode(value)
        if type(made) is bytes:
            append((topic, made, key, ANY_PARTITION, None, None, timestamp))
        elif made is not None:
            append(_addressed(name, made, topic, key, timestamp))

    return send


def _addressed(name: str, made: Any, topic: str, key: bytes | None, timestamp: int) -> Output:
    """An encoder's result that is not plain bytes: str, (value, key) or (value, key, partition)."""
    match made:
        case str() | bytes():
            return (topic, _text(made), key, ANY_PARTITION, None, None, timestamp)
        case (str() | bytes() | None as value, str() | bytes() | None as own):
            return (topic, _text(value), _text(own), ANY_PARTITION, None, None, timestamp)
        case (str() | bytes() | None as value, str() | bytes() | None as own, int() | None as partition):
            chosen = ANY_PARTITION if partition is None else partition
            return (topic, _text(value), _text(own), chosen, None, None, timestamp)
    raise RecordError(
        f"the encoder {name!r} returned {made!r}; return bytes, str, (value, key) or (value, key, partition)"
    )


def _to_outbox(name: str, encode: Callable[[Any], Any], topic: str, wiring: Wiring) -> Emit:
    append, own, partitions = wiring.append, wiring.partition, wiring.partitions[topic]

    def send(value: Any, key: bytes | None, timestamp: int) -> None:
        made = encode(value)
        if made is None:
            return
        if not isinstance(made, str | bytes):
            raise RecordError(f"the encoder {name!r} returned {type(made).__name__}; return bytes or str")
        # Without a key, records of one input partition stay in order among themselves.
        partition = own % partitions if key is None else partition_of(key, partitions)
        append((topic, _text(made), key, partition, None, None, timestamp))

    return send


def _text(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
