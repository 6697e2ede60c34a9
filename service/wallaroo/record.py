"""The shapes of a record on its way through a task: raw bytes in, wished-for writes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A partition that the client chooses from the key.
ANY_PARTITION = -1

# One wished-for write, in the order in which confluent-kafka's `produce` takes its arguments:
# (topic, value, key, partition), or with (..., None, None, timestamp_ms[, headers]) behind it.
Output = tuple[Any, ...]


class RawRecord(Protocol):
    """One record as it was read; a `confluent_kafka.Message` is one, and just as loosely typed.

    `value` and `key` are bytes or None, `offset` an int, `timestamp` (type, milliseconds), `headers` a
    list of (name, bytes) or None.
    """

    def value(self) -> Any: ...
    def key(self) -> Any: ...
    def offset(self) -> Any: ...
    def timestamp(self) -> Any: ...
    def headers(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of an input topic: what a task is named after."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit writes to one changelog partition; None is a tombstone."""

    store: str
    topic: str
    values: Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one task wants to have committed together."""

    partition: Partition
    next_offset: int
    records: int
    oldest_timestamp_ms: int
    outputs: Sequence[Output]
    changes: Sequence[Changes]
    # By (stage, class of the error) and by (stage, reason).
    dead_letters: Mapping[tuple[str, str], int]
    dropped: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Rewind:
    """User code failed on a fast slice: roll the task back and read its records again."""

    partition: Partition
    failed_offset: int
