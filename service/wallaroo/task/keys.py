"""Keys inside the engine are bytes, whatever the user's extractor returns."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from wallaroo.errors import RecordError


def key_bytes(name: str, key: Any) -> bytes:
    """The canonical key: str as UTF-8, bytes as they are, an int as decimal text; else RecordError."""
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


def extracted_keys(name: str, extract: Callable[[Any], Any], values: Sequence[Any]) -> list[bytes]:
    """The canonical key of each value; RecordError where one has none, and whatever `extract` raises."""
    return [key.encode() if type(key := extract(value)) is str else key_bytes(name, key) for value in values]


def keyless(topic: str) -> RecordError:
    """The error for a record that has no key where every record has one."""
    return RecordError(f"a record without a key cannot go to {topic}; this is a bug of the compiler")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in an internal topic: CRC-32, at a tenth of what murmur2 costs in Python."""
    return crc32(key) % partitions
