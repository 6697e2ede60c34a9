"""The shapes of a record on its way through a task: raw bytes in, wished-for writes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# A partition that the client chooses from the key.
ANY_PARTITION = -1
# The header of a record in an outbox that says which partition of another cluster's topic it is for.
CHOSEN_PARTITION = "partition"

NANOSECONDS_PER_MS = 1_000_000
NANOSECONDS_PER_SECOND = 1_000_000_000

# One wished-for write, in the order in which confluent-kafka's `produce` takes its arguments:
# (topic, value, key, partition), or with (..., None, None, timestamp_ms[, headers]) behind it.
Output = tuple[Any, ...]


class Origin(Protocol):
    """What a result comes from, asked for its time where the result is written: (type, milliseconds)."""

    def timestamp(self) -> Any: ...


# (value, key, what it came from): hand a result on. Its time is asked for where it is written.
Emit = Callable[[Any, bytes | None, Origin], None]


class RawRecord(Origin, Protocol):
    """One record as it was read; a `confluent_kafka.Message` is one, and just as loosely typed.

    `value` and `key` are bytes or None, `offset` an int, `timestamp` (type, milliseconds), `headers` a
    list of (name, bytes) or None.
    """

    def value(self) -> Any: ...
    def key(self) -> Any: ...
    def offset(self) -> Any: ...
    def headers(self) -> Any: ...


class Moment:
    """An event time, in nanoseconds, as the origin of a result."""

    __slots__ = ("event_time",)

    def __init__(self, event_time: int) -> None:
        self.event_time = event_time

    def timestamp(self) -> tuple[int, int]:
        return 1, self.event_time // NANOSECONDS_PER_MS


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
    # Late messages by stage, whatever became of them, and control records among the outputs by topic.
    late: Mapping[str, int] = field(default_factory=dict)
    controls: Mapping[str, int] = field(default_factory=dict)
    # How many more records there would be without packs, by topic.
    saved: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewind:
    """User code failed on a fast slice: roll the task back and read its records again."""

    partition: Partition
    failed_offset: int
