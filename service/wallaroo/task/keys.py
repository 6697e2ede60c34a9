"""Keys: their bytes, whatever the user's extractor returns, and their partitions."""

from typing import Any
from zlib import crc32

from wallaroo.errors import RecordError

# Of murmur2, as Kafka's clients take it.
_SEED, _FACTOR, _SHIFT, _MASK = 0x9747B28C, 0x5BD1E995, 24, 0xFFFFFFFF


def key_bytes(name: str, key: Any) -> bytes:
    """The canonical key: str as UTF-8, bytes as they are, an int as decimal text; else RecordError."""
    if type(key) is str:
        return key.encode()
    match key:
        case str():
            return key.encode()
        case bytes():
            return key
        case bool():
            pass
        case int():
            return b"%d" % key
    raise RecordError(
        f"the key extractor {name!r} returned {key!r}, a {type(key).__name__}; return a str, bytes or an int"
    )


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in an internal topic: CRC-32, at a tenth of what murmur2 costs in Python."""
    return crc32(key) % partitions


def java_partition(key: bytes, partitions: int) -> int:
    """The partition that Java's producers, and ours, choose for a key: librdkafka's `murmur2_random`."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    value = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(data[at : at + 4], "little") * _FACTOR & _MASK
        part = (part ^ part >> _SHIFT) * _FACTOR & _MASK
        value = value * _FACTOR & _MASK ^ part
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    value = (value ^ value >> 13) * _FACTOR & _MASK
    return value ^ value >> 15


def missing_key(topic: str) -> RecordError:
    """The error for a record without a key where every record has one."""
    return RecordError(f"a record without a key cannot go to {topic}; this is a bug of the compiler")
